"""Files of predicted objects: COCO results and YOLO's text files."""

import hashlib

import numpy as np
import pytest

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import sha256_of
from tests.formats.teacher_files.prepared_splits import (
    read,
    result,
    write_lines,
    write_prepared,
    write_results,
)


@pytest.fixture
def prepared(tmp_path):
    return write_prepared(tmp_path / "prepared")


def faults_of(path, prepared, task="detection", **options):
    with pytest.raises(DataError) as error:
        read(path, prepared, task, **options)
    return [str(fault).removeprefix(f"{path}: ") for fault in error.value.faults]


def rows_of(known, *ids):
    rows = known.find(np.array(ids))
    return [
        (int(row), int(category), box, round(float(score), 6))
        for row, category, box, score in zip(
            rows.image_ids, rows.category_ids, rows.boxes_xyxy.tolist(), rows.scores, strict=True
        )
    ]


def test_results_are_found_by_the_longest_ending_of_a_path(prepared, tmp_path):
    names = ["D:\\data\\pool\\3.png", "/mnt/x/a/pool/3.png", "4.png", "tuning/6.png", "other.png"]
    path = write_results(
        tmp_path / "r.json", [result(names[0], score=0.2), result(names[2], score=0.9)]
    )
    known = read(path, prepared)
    assert rows_of(known, 3, 4, 5) == [(3, 1, [2, 3, 12, 15], 0.2), (4, 1, [2, 3, 12, 15], 0.9)]
    assert known.covered.tolist() == [3, 4]
    assert not known.lists_images
    # Two names of one image, none of which is its own.
    path = write_results(tmp_path / "r.json", [result(names[0]), result(names[1])])
    (fault,) = faults_of(path, prepared)
    assert fault.startswith("image 'a/pool/3.png': expected one name in the file, found ")
    path = write_results(tmp_path / "r.json", [result("a/pool/3.png"), result(names[1])])
    known = read(path, prepared)
    assert len(rows_of(known, 3)) == 1
    assert known.left_out == {"files that are no image of the data": 1}


def test_a_name_that_several_images_have_is_a_fault(prepared, tmp_path):
    dataset = SplitFolder(prepared / "gold").read()
    dataset.images.file_names[0] = "b/3.png"
    SplitFolder(prepared / "gold").write(dataset)
    path = write_results(tmp_path / "r.json", [result("3.png")])
    expected = "image '3.png': expected a name that only one image has, found 'a/pool/3.png', "
    assert faults_of(path, prepared) == [f"{expected}'b/3.png'"]


def test_ids_of_results_are_those_of_the_coco_file_that_is_named(prepared, tmp_path):
    rows = [{"image_id": 70, "category_id": 9, "bbox": [1, 1, 5, 5], "score": 0.4}]
    path = write_results(tmp_path / "r.json", rows)
    assert faults_of(path, prepared, classes={"9": "rod"}) == [
        (
            "result 0: expected a `file_name`, a text as `image_id`, or the COCO file of its "
            "number as `ids`, found 70"
        )
    ]
    ids = write_results(
        tmp_path / "ids.json",
        {
            "images": [{"id": 70, "file_name": "pool/5.png"}],
            "categories": [{"id": 9, "name": "rod"}],
        },
    )
    known = read(path, prepared, ids=ids)
    assert rows_of(known, 5) == [(5, 2, [1, 1, 6, 6], 0.4)]
    # The file of ids names images, but not those that were predicted.
    assert not known.lists_images


def test_a_coco_file_lists_its_images(prepared, tmp_path):
    images = [{"id": n, "file_name": f"pool/{n}.png"} for n in (3, 4)]
    content = {"images": images, "categories": [{"id": 1, "name": "star"}]}
    content["annotations"] = [
        {"image_id": 3, "category_id": 1, "bbox": [30, 20, 20, 20], "score": 1}
    ]
    known = read(write_results(tmp_path / "r.json", content), prepared)
    assert rows_of(known, 3, 4) == [(3, 3, [30, 20, 40, 30], 1.0)]
    pool = SplitFolder(prepared / "pool").read().images
    assert known.lists_images
    assert known.lacking(pool).tolist() == [False, False, True]
    with pytest.raises(DataError, match=r"image 'a/pool/5.png': expected predictions for every"):
        known.require(pool, "the pool")
    line = known.describe({"the pool": pool})
    assert line.endswith("r.json: predictions for 2 of 3 of the pool")


def test_a_file_that_lists_no_images_needs_half_of_them(prepared, tmp_path):
    pool = SplitFolder(prepared / "pool").read().images
    known = read(write_results(tmp_path / "r.json", [result("pool/3.png")]), prepared)
    assert known.lacking(pool).tolist() == [False, True, True]
    with pytest.raises(DataError, match="the pool: expected predictions for at least half"):
        known.require(pool, "the pool")
    rows = [result("pool/3.png"), result("pool/4.png")]
    known = read(write_results(tmp_path / "r.json", rows), prepared)
    assert not known.lacking(pool).any()


def test_classes_are_mapped_by_name_or_by_a_mapping(prepared, tmp_path):
    rows = [result("3.png", category_id=name) for name in ("disc", "plate", "plate", "dog")]
    path = write_results(tmp_path / "r.json", rows)
    expected = "expected a class of disc, rod, star, or `classes` that names one for it"
    assert faults_of(path, prepared) == [
        f"class 'dog': {expected}, found 'dog'",
        f"class 'plate': {expected}, found 'plate'",
    ]
    known = read(path, prepared, classes={"plate": "disc", "disc": "rod"})
    assert sorted(row[1] for row in rows_of(known, 3)) == [1, 1, 2]
    assert known.left_out == {"class 'dog'": 1}
    (fault,) = faults_of(path, prepared, classes={"plate": "saucer"})
    assert fault == f"class 'plate': {expected}, found 'saucer'"


def test_all_faults_of_results_are_listed_together(prepared, tmp_path):
    rows = [
        result("3.png", score=1.5),
        result("3.png", score=None),
        result("3.png", box=(1, 2, 3)),
        {"category_id": "disc", "bbox": [1, 2, 3, 4], "score": 0.5},
        result("3.png", box=(50, 2, 3, 4)),
    ]
    assert faults_of(write_results(tmp_path / "r.json", rows), prepared) == [
        "result 0: expected a `score` from 0 to 1, found 1.5",
        "result 1: expected a `score` from 0 to 1, found None",
        "result 2: expected a `bbox` of x, y, width, height, found [1, 2, 3]",
        (
            "result 3: expected a `file_name`, a text as `image_id`, or the COCO file of its "
            "number as `ids`, found None"
        ),
    ]
    known = read(write_results(tmp_path / "r.json", rows[4:]), prepared)
    assert known.left_out == {"objects outside of the image, or without area": 1}
    assert rows_of(known, 3) == []
    for content, found in ((3, "int"), ({"images": []}, "dict")):
        path = write_results(tmp_path / "r.json", content)
        (fault,) = faults_of(path, prepared)
        assert fault.endswith(f"a list of results, or an object with `annotations`, found {found}")


def test_masks_of_results(prepared, tmp_path):
    polygon = [[2, 3, 12, 3, 12, 15, 2, 15]]
    rows = [result("3.png", segmentation=polygon), result("4.png")]
    path = write_results(tmp_path / "r.json", rows)
    assert faults_of(path, prepared, "instance") == [
        "result 1: expected a `segmentation`, polygons or run lengths, found None"
    ]
    known = read(write_results(tmp_path / "r.json", rows[:1]), prepared, "instance")
    found = known.find(np.array([3]))
    assert found.areas.tolist() == [120]
    assert masks.areas(found.masks, 30, 40).tolist() == [120]


def test_lines_of_yolo_become_boxes_in_pixels(prepared, tmp_path):
    lines = {"labels/3": ["0 0.5 0.5 0.5 0.2 0.25", "", "2 0.1 0.1 0.4 0.2 0.75"], "4": []}
    known = read(write_lines(tmp_path / "yolo", lines), prepared)
    assert rows_of(known, 3) == [(3, 3, [0, 0, 12, 6], 0.75), (3, 1, [10, 12, 30, 18], 0.25)]
    assert known.covered.tolist() == [3, 4]
    assert known.digest == sha256_of(tmp_path / "yolo")


def test_lines_of_yolo_become_masks(prepared, tmp_path):
    lines = {"3": ["1 0 0 0.5 0 0.5 0.5 0 0.5 0.9"]}
    known = read(write_lines(tmp_path / "yolo", lines), prepared, "instance")
    assert known.find(np.array([3])).areas.tolist() == [300]


def test_all_faults_of_lines_are_listed_together(prepared, tmp_path):
    lines = ["0 0.5 0.5 0.5 0.2", "0 0.5 0.5 0.5 0.2 1.2", "x 1 1 1 1 1", "0 9 9 400 300 0.5"]
    folder = write_lines(tmp_path / "yolo", {"3": lines})
    box = "a class, x, y, width, height and a score, as shares of the image"
    assert faults_of(folder, prepared) == [
        f"3.txt line 1: expected {box}, found 0 0.5 0.5 0.5 0.2",
        "3.txt line 2: expected a score from 0 to 1, found 1.2",
        f"3.txt line 3: expected {box}, found x 1 1 1 1 1",
        f"3.txt line 4: expected {box}, found 9.0 9.0 400.0 300.0 0.5",
    ]
    folder = write_lines(tmp_path / "unnamed", {"3": ["0 0.5 0.5 0.5 0.2 0.5"]}, classes=None)
    assert faults_of(folder, prepared) == [
        "expected the names of the classes, in classes.txt or as `classes`, found none"
    ]
    known = read(folder, prepared, classes=["star"])
    assert rows_of(known, 3)[0][1] == 3


def test_a_link_out_of_the_folder_is_refused(prepared, tmp_path):
    folder = write_lines(tmp_path / "yolo", {"3": ["0 0.5 0.5 0.5 0.2 0.5"]})
    (tmp_path / "4.txt").write_text("0 0.5 0.5 0.5 0.2 0.5")
    (folder / "4.txt").symlink_to(tmp_path / "4.txt")
    assert faults_of(folder, prepared) == [
        "4.txt: expected a file in the folder of predictions, found a link that leads out"
    ]


def test_a_file_of_another_kind_is_refused(prepared, tmp_path):
    with pytest.raises(ModelError, match=r"none.json: expected a JSON file .* found no such file"):
        read(tmp_path / "none.json", prepared)
    (tmp_path / "a.csv").write_text("file,disc\n")
    with pytest.raises(ModelError, match=r"expected a JSON file .* found a file .csv"):
        read(tmp_path / "a.csv", prepared)


def test_the_hash_of_a_file_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
