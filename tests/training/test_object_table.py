"""The training data of objects are those of mmdet's CocoDataset, but kept in columns."""

import pickle
from dataclasses import replace

import numpy as np
import orjson
import pytest
from mmdet.datasets import CocoDataset

from pseudolabel.core.columns import object_array
from pseudolabel.core.errors import DataError
from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.training.object_table import read_objects
from pseudolabel.training.objects import ObjectDataset
from tests.builders import images
from tests.evaluation.test_objects import with_masks

CATEGORIES = (Category(7, "disc"), Category(3, "rod"), Category(5, "star"))


def split_with_every_case(path, masks):
    """Silver and gold in any order, with crowds, slim boxes, overhangs, and images without rows."""
    rng = np.random.default_rng(0)
    count = 200
    image_ids = rng.integers(1, 30, count)
    corners = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.4, 40.004, (count, 2))], axis=1)
    gold = Annotations.gold(
        rng.permutation(count) + 1,
        image_ids,
        rng.choice([3, 5, 7], count),
        boxes.clip(0, [100.004, 80.004] * 2).astype(np.float32),
        rng.uniform(0, 50, count).round(),
        rng.random(count) < 0.2,
    )
    silver = rng.random(count) < 0.5
    rows = replace(gold, rounds=np.where(silver, 2, 0).astype(np.int16))
    if masks:
        drawn = with_masks(rows, rng, noise=0.1)
        rows = replace(drawn, masks=object_array([b"", *drawn.masks[1:]]))
    known = images(40)
    names = [f"a b/{name}" for name in known.file_names]
    hashes = [f"{number:x}" if number % 3 else "" for number in range(40)]
    known = Images.build(known.ids, names, known.widths, known.heights, hashes)
    write_coco(path, Dataset(known[rng.permutation(40)], rows, CATEGORIES), {2: "weights"})


def both(path, classes=("disc", "rod", "star")):
    """mmdet's data set of a file, and ours."""
    arguments = {"data_prefix": {"img": "images"}, "metainfo": {"classes": classes}}
    return (
        kind(ann_file=str(path), filter_cfg=None, pipeline=[], **arguments)
        for kind in (CocoDataset, ObjectDataset)
    )


def entries(dataset):
    """The entries without scores, which mmdet does not have."""
    found = [dataset.get_data_info(row) for row in range(len(dataset))]
    return [{key: value for key, value in entry.items() if key != "scores"} for entry in found]


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
@pytest.mark.parametrize("classes", [("disc", "rod", "star"), ("star", "disc")], ids=len)
def test_entries_are_those_of_mmdet(tmp_path, masks, classes):
    path = tmp_path / "coco.json"
    split_with_every_case(path, masks)
    theirs, ours = both(path, classes)
    hashes = {row["id"]: row.get("hash", "") for row in orjson.loads(path.read_bytes())["images"]}
    expected = [entry | {"content_hash": hashes[entry["img_id"]]} for entry in entries(theirs)]
    assert entries(ours) == expected
    assert len({len(entry["instances"]) for entry in expected}) > 5
    assert any("mask" in row for entry in expected for row in entry["instances"]) == masks
    last = ours.get_data_info(-1)
    assert {key: value for key, value in last.items() if key != "scores"} == expected[-1]
    for row in range(len(ours)):
        assert ours.get_cat_ids(row) == theirs.get_cat_ids(row)
    assert ours.metainfo == theirs.metainfo


@pytest.mark.parametrize("any_task", ["detection", "instance"], indirect=True)
def test_entries_of_real_data_are_those_of_mmdet(any_task):
    path = SplitFolder(any_task.prepared / "gold").coco_file
    theirs, ours = both(path)
    found = entries(ours)
    assert found
    assert all(len(entry.pop("content_hash")) > 10 for entry in found)
    assert found == entries(theirs)


def test_a_split_without_objects_has_images_without_instances(tmp_path):
    write_coco(tmp_path / "coco.json", Dataset(images(3), Annotations.empty(), CATEGORIES))
    _, ours = both(tmp_path / "coco.json")
    assert [entry["instances"] for entry in entries(ours)] == [[], [], []]


def test_a_copy_in_another_process_has_the_same_entries(tmp_path):
    split_with_every_case(tmp_path / "coco.json", masks=True)
    _, ours = both(tmp_path / "coco.json")
    assert entries(pickle.loads(pickle.dumps(ours))) == entries(ours)


def test_a_file_that_changed_is_read_again(tmp_path):
    path = tmp_path / "coco.json"
    split_with_every_case(path, masks=False)
    first = list(both(path))[1]
    write_coco(path, Dataset(images(3), Annotations.empty(), CATEGORIES))
    assert len(list(both(path))[1]) == 3
    assert len(first) == 40


def test_a_file_in_another_layout_is_an_error(tmp_path):
    path = tmp_path / "coco.json"
    split_with_every_case(path, masks=False)
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes())))
    with pytest.raises(DataError, match="one object per line"):
        list(both(path))


def test_an_image_and_a_class_may_be_called_null(tmp_path):
    path = tmp_path / "coco.json"
    images = Images.build([1], ["null/a null.png"], [40], [30], ["aa"])
    one = np.ones(1, np.int64)
    rows = Annotations.gold([1], one, one, [[1, 2, 20, 20]], [342], [False])
    write_coco(path, Dataset(images, rows, (Category(1, "null"),)))
    theirs, ours = both(path, ("null",))
    assert len(ours) == 1
    assert ours.get_data_info(0)["instances"] == theirs.get_data_info(0)["instances"]


def test_a_missing_value_is_refused(tmp_path):
    path = tmp_path / "coco.json"
    images = Images.build([1], ["a.png"], [40], [30], ["aa"])
    one = np.ones(1, np.int64)
    rows = Annotations.gold([1], one, one, [[1, 2, 20, 20]], [342], [False])
    write_coco(path, Dataset(images, rows, (Category(1, "a"),)))
    content = path.read_text()
    path.write_text(content.replace('"iscrowd":0', '"iscrowd":null'))
    assert path.read_text() != content
    with pytest.raises(DataError, match="one object per line"):
        read_objects(path, ["a"])
