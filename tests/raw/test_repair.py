import json

import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.core.files import hash_folder
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import read_and_split
from tests.builders import coco, pseudolabel, raw_root, splitting, write_json


def root_with(tmp_path, *changes, **annotation):
    """A raw root of 40x30 images with changes in its second annotation."""
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{index}.png" for index in range(4)])
    content["annotations"][1] |= annotation
    for change in changes:
        change(content)
    write_json(root / "gold.json", content)
    return root


def repaired(root, new):
    """The repairs, and the repaired second annotation; None if it was dropped."""
    repairs = repair(root, new, "detection")
    rows = json.loads((new / "gold.json").read_bytes())["annotations"]
    return repairs, next((row for row in rows if row["id"] == 2), None)


def boxes_and_polygons(content, *shapes):
    """Give the annotations shapes: (box, polygons), each None for none."""
    for row, (box, polygons) in zip(content["annotations"], shapes, strict=True):
        row |= {"bbox": box, "segmentation": polygons}


def test_a_box_that_leaves_its_image_is_clipped_and_its_fields_are_kept(tmp_path):
    root = root_with(tmp_path, bbox=[25, -4, 20, 14], score=0.4, checked_by="ann")
    repairs, row = repaired(root, tmp_path / "new")
    assert repairs == ["gold.json: annotation id 2: clipped to its image"]
    assert (row["bbox"], row["score"], row["checked_by"]) == ([25, 0, 15, 10], 0.4, "ann")
    read_and_split(tmp_path / "new", "detection", splitting(), 0)


@pytest.mark.parametrize("bbox", [[41, 3, 5, 5], [-9, 0, 9, 9], [30, -4, 20, 14], [39, 3, -9, 50]])
def test_a_box_that_is_mostly_outside_stays_a_fault(tmp_path, bbox):
    repairs, row = repaired(root_with(tmp_path, bbox=bbox), tmp_path / "new")
    assert (repairs, row["bbox"]) == ([], bbox)
    with pytest.raises(DataError, match="annotation id 2 on gold/1.png: expected a box"):
        read_and_split(tmp_path / "new", "detection", splitting(), 0)


def test_no_label_of_an_image_is_clipped_if_one_is_mostly_outside(tmp_path):
    def two_labels(content):
        row = content["annotations"][1] | {"id": 9, "bbox": [60, 40, 20, 20]}
        content["annotations"].append(row)

    repairs, row = repaired(root_with(tmp_path, two_labels, bbox=[25, 0, 20, 14]), tmp_path / "new")
    assert (repairs, row["bbox"]) == ([], [25, 0, 20, 14])


def test_a_box_without_an_area_is_dropped(tmp_path):
    repairs, row = repaired(root_with(tmp_path, bbox=[3, 3, 0, 5]), tmp_path / "new")
    assert repairs == ["gold.json: annotation id 2: dropped, its box has no area"]
    assert row is None
    read_and_split(tmp_path / "new", "detection", splitting(), 0)


def test_a_flipped_box_is_turned_round(tmp_path):
    repairs, row = repaired(root_with(tmp_path, bbox=[13, 14, -10, -12]), tmp_path / "new")
    assert repairs == ["gold.json: annotation id 2: flipped box turned round"]
    assert row["bbox"] == [3, 2, 10, 12]
    read_and_split(tmp_path / "new", "detection", splitting(), 0)


POLYGON = [2, 3, 12, 3, 12, 9]


@pytest.mark.parametrize("box", [[3, 3, 0, 5], [3, 3, -90, 5], [1, 2]])
@pytest.mark.parametrize("shape", [[POLYGON], {"size": [30, 40], "counts": [600, 60, 540]}])
def test_a_sound_mask_is_kept_whatever_its_box_is(tmp_path, box, shape):
    root = root_with(tmp_path, bbox=box, segmentation=shape)
    repairs, row = repaired(root, tmp_path / "new")
    assert (repairs, row["bbox"], row["segmentation"]) == ([], box, shape)


def test_a_sound_box_is_kept_whatever_its_polygons_are(tmp_path):
    empty = [[1, 1, 1, 1, 1, 1]]
    repairs, row = repaired(root_with(tmp_path, segmentation=empty), tmp_path / "new")
    assert (repairs, row["segmentation"]) == ([], empty)


def test_labels_of_classes_need_no_area(tmp_path):
    root = root_with(tmp_path, bbox=[0, 0, 0, 0], segmentation=[])
    assert repair(root, tmp_path / "new", "classification") == []
    read_and_split(tmp_path / "new", "classification", splitting(), 0)


def test_polygons_are_clipped_and_empty_ones_dropped(tmp_path):
    def polygons(content):
        boxes_and_polygons(
            content,
            (None, [POLYGON]),
            (None, [[30, 3, 49, 3, 49, 20, 30, 20]]),
            (None, [[1, 1, 1, 1, 1, 1]]),
            (None, []),
        )

    repairs, row = repaired(root_with(tmp_path, polygons), tmp_path / "new")
    assert repairs == [
        "gold.json: annotation id 3: dropped, its polygons have no pixel",
        "gold.json: annotation id 4: dropped, it has neither a box nor a polygon",
        "gold.json: annotation id 2: clipped to its image",
    ]
    points = zip(*[iter(row["segmentation"][0])] * 2, strict=True)
    assert set(points) == {(30, 3), (40, 3), (40, 20), (30, 20)}
    read_and_split(tmp_path / "new", "instance", splitting(), 0)


def test_a_polygon_keeps_its_slanted_edges_when_it_is_clipped(tmp_path):
    def triangle(content):
        content["annotations"][1] |= {"bbox": None, "segmentation": [[10, 0, 50, 20, 10, 20]]}

    _, row = repaired(root_with(tmp_path, triangle), tmp_path / "new")
    points = zip(*[iter(row["segmentation"][0])] * 2, strict=True)
    assert set(points) == {(10, 0), (40, 15), (40, 20), (10, 20)}


@pytest.mark.parametrize("stray", [[20, 20, 25, 25], [20, 20], [], [5, 5, 7, 7, 9, 9], [4] * 6])
def test_stray_parts_of_polygons_are_dropped_if_another_part_stays(tmp_path, stray):
    def parts(content):
        rows = content["annotations"]
        rows[0] |= {"bbox": None, "segmentation": [stray]}
        rows[1] |= {"bbox": None, "segmentation": [stray, POLYGON, stray]}

    repairs, row = repaired(root_with(tmp_path, parts), tmp_path / "new")
    line = "gold.json: annotation id 2: 2 stray parts of its polygons dropped"
    assert line in repairs
    assert row["segmentation"] == [POLYGON]


def test_a_bow_tie_has_an_area(tmp_path):
    bow_tie = [0, 0, 10, 10, 10, 0, 0, 10]
    root = root_with(tmp_path, bbox=None, segmentation=[bow_tie, POLYGON])
    assert repair(root, tmp_path / "new", "instance") == []


def test_other_faults_remain(tmp_path):
    root = root_with(tmp_path, bbox=[1, 2, 3], category_id=77)
    repairs, row = repaired(root, tmp_path / "new")
    assert repairs == []
    assert row["bbox"] == [1, 2, 3]
    with pytest.raises(DataError) as caught:
        read_and_split(tmp_path / "new", "detection", splitting(), 0)
    assert len(caught.value.faults) == 2


def test_the_old_root_is_not_changed(tmp_path):
    root = root_with(tmp_path, bbox=[25, -4, 20, 14])
    before = hash_folder(root)
    repair(root, tmp_path / "new", "detection")
    assert hash_folder(root) == before


@pytest.mark.parametrize("new", ["raw/new", "raw", "."])
def test_the_new_root_must_be_new_and_outside_the_old_one(tmp_path, new):
    root = root_with(tmp_path)
    before = hash_folder(root)
    with pytest.raises(DataError, match="expected a new folder outside the old one"):
        repair(root, tmp_path / new, "detection")
    assert hash_folder(root) == before


def test_files_that_are_no_json_are_copied_unchanged(tmp_path):
    root = root_with(tmp_path)
    (root / "val.json").write_text("{")
    repair(root, tmp_path / "new", "detection")
    assert (tmp_path / "new" / "val.json").read_text() == "{"


def test_the_command_check_reports_all_faults_and_repairs_into_a_new_root(tmp_path):
    root = root_with(tmp_path, bbox=[25, -4, 20, 14])
    status, _, messages = pseudolabel("check", root, "--task", "detection")
    assert status == 1
    fault = "expected a box inside the image (40x30), found [25, -4, 20, 14]"
    assert "error: 1 fault in the data:" in messages
    assert f"gold.json: annotation id 2 on gold/1.png: {fault}" in messages
    status, output, _ = pseudolabel("check", root, "--fix", tmp_path / "new")
    assert status == 0
    assert "1 repair in" in output
    assert "annotation id 2: clipped to its image" in output
    assert "no faults; prepare makes these splits:" in output
    assert "  pool: 3 images" in output.splitlines()


def backslashes(content):
    """Write the names of images as Windows does; the last name is that of no file."""
    for row in content["images"]:
        row["file_name"] = row["file_name"].replace("/", "\\")
    content["images"][-1]["file_name"] = "gold\\\\9.png"


def test_backslashes_are_made_slashes_where_the_file_exists(tmp_path):
    root = root_with(tmp_path, backslashes)
    status, _, messages = pseudolabel("check", root, "--task", "detection")
    assert status == 1
    told = "no file; it is there with slashes for backslashes, as `check --fix` writes them"
    assert f"image id 1 (gold\\0.png): expected an image file, found {told}" in messages
    assert "image id 4 (gold\\\\9.png): expected an image file, found no file\n" in messages + "\n"
    repairs, _ = repaired(root, tmp_path / "new")
    assert repairs == [
        f"gold.json: image id {number + 1}: 'gold\\\\{number}.png' made gold/{number}.png"
        for number in range(3)
    ]
    assert repaired(tmp_path / "new", tmp_path / "again")[0] == []


def test_a_name_that_another_image_has_keeps_its_backslash(tmp_path):
    def double(content):
        content["images"][1]["file_name"] = "gold\\0.png"

    assert repaired(root_with(tmp_path, double), tmp_path / "new")[0] == []


def test_a_file_with_a_byte_order_mark_is_read_and_repaired(tmp_path):
    root = root_with(tmp_path, bbox=[25, -4, 20, 14])
    path = root / "gold.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    repairs, _ = repaired(root, tmp_path / "new")
    assert repairs == ["gold.json: annotation id 2: clipped to its image"]
    sound = root_with(tmp_path / "sound")
    path = sound / "gold.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert repaired(sound, tmp_path / "copy")[0] == []
    read_and_split(tmp_path / "copy", "detection", splitting(), 0)
