import json

import pytest

from pseudolabel.errors import DataError
from pseudolabel.files import hash_folder
from pseudolabel.mending import mend
from pseudolabel.prepare import read_and_split
from pseudolabel.tasks import TASKS
from tests.builders import coco, pseudolabel, raw_root, splitting, write_json


def root_with(tmp_path, *changes, **annotation):
    """A raw root of 40x30 images whose second annotation is changed."""
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{it}.png" for it in range(4)])
    content["annotations"][1] |= annotation
    for change in changes:
        change(content)
    write_json(root / "gold.json", content)
    return root


def mended(root, new):
    """What was done, and the second annotation after it, None where it is gone."""
    done = mend(root, new)
    rows = json.loads((new / "gold.json").read_bytes())["annotations"]
    return done, next((row for row in rows if row["id"] == 2), None)


def test_a_box_that_leaves_its_image_is_clipped_and_its_fields_survive(tmp_path):
    root = root_with(tmp_path, bbox=[30, -4, 20, 14], score=0.4, seen_by="ann")
    done, row = mended(root, tmp_path / "new")
    assert done == ["gold.json: annotation id 2: clipped to its image"]
    assert (row["bbox"], row["score"], row["seen_by"]) == ([30, 0, 10, 10], 0.4, "ann")
    read_and_split(tmp_path / "new", TASKS["detection"], splitting(), 0)


@pytest.mark.parametrize("bbox", [[41, 3, 5, 5], [3, 3, 0, 5], [3, 3, -2, 5], [-9, 0, 9, 9]])
def test_a_box_of_which_nothing_is_left_is_dropped(tmp_path, bbox):
    done, row = mended(root_with(tmp_path, bbox=bbox), tmp_path / "new")
    assert done == ["gold.json: annotation id 2: dropped, nothing of it is inside its image"]
    assert row is None
    read_and_split(tmp_path / "new", TASKS["detection"], splitting(), 0)


def test_polygons_are_clipped_and_empty_ones_dropped(tmp_path):
    def polygons(content):
        for row, polygon in zip(
            content["annotations"],
            ([2, 3, 12, 3, 12, 9], [30, 3, 55, 3, 55, 20, 30, 20], [1, 1, 1, 1, 1, 1], None),
            strict=True,
        ):
            row.pop("bbox")
            row["segmentation"] = [polygon] if polygon else []

    root = root_with(tmp_path, polygons)
    done = mend(root, tmp_path / "new")
    assert done == [
        "gold.json: annotation id 2: clipped to its image",
        "gold.json: annotation id 3: dropped, nothing of it is inside its image",
        "gold.json: annotation id 4: dropped, nothing of it is inside its image",
    ]
    read_and_split(tmp_path / "new", TASKS["instance"], splitting(), 0)


def test_sizes_are_corrected_from_the_files(tmp_path):
    root = root_with(tmp_path, lambda content: content["images"][2].update(width=30, height=40))
    done, _ = mended(root, tmp_path / "new")
    assert done == ["gold.json: image id 3: size 30x40 corrected to 40x30"]
    read_and_split(tmp_path / "new", TASKS["detection"], splitting(), 0)


def test_what_is_not_safe_to_mend_stays_a_fault(tmp_path):
    root = root_with(tmp_path, bbox=[1, 2, 3], category_id=77)
    done, row = mended(root, tmp_path / "new")
    assert done == []
    assert row["bbox"] == [1, 2, 3]
    with pytest.raises(DataError) as caught:
        read_and_split(tmp_path / "new", TASKS["detection"], splitting(), 0)
    assert len(caught.value.faults) == 2


def test_the_input_is_never_changed(tmp_path):
    root = root_with(tmp_path, bbox=[30, -4, 20, 14])
    before = hash_folder(root)
    mend(root, tmp_path / "new")
    assert hash_folder(root) == before


@pytest.mark.parametrize("new", ["raw/new", "raw", "."])
def test_the_new_root_must_be_new_and_outside(tmp_path, new):
    root = root_with(tmp_path)
    before = hash_folder(root)
    with pytest.raises(DataError, match="expected a new folder outside the old one"):
        mend(root, tmp_path / new)
    assert hash_folder(root) == before


def test_files_that_are_no_json_are_copied_as_they_are(tmp_path):
    root = root_with(tmp_path)
    (root / "val.json").write_text("{")
    mend(root, tmp_path / "new")
    assert (tmp_path / "new" / "val.json").read_text() == "{"


def test_the_command_tells_all_faults_and_mends_into_a_new_root(tmp_path):
    root = root_with(tmp_path, bbox=[30, -4, 20, 14])
    status, _, messages = pseudolabel("check", root)
    assert status == 1
    fault = "expected a box inside the image (40x30), found [30, -4, 20, 14]"
    assert "error: 1 fault in the data:" in messages
    assert f"gold.json: annotation id 2: {fault}" in messages
    status, said, _ = pseudolabel("check", root, "--fix", tmp_path / "new")
    assert status == 0
    assert "1 mended in" in said
    assert "annotation id 2: clipped to its image" in said
    assert "no faults; prepare makes of it:" in said
    status, said, _ = pseudolabel("check", tmp_path / "new", "--task", "detection")
    assert (status, said.splitlines()[-1]) == (0, "  pool: 3 images")


def test_help_names_every_pseudolabel():
    status, said, _ = pseudolabel("--help")
    assert status == 0
    assert all(name in said for name in ("import", "check", "folds"))
