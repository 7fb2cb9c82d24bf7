"""reviewed.json: labels that a person confirmed or corrected, joined to gold by prepare."""

import csv
import json

import numpy as np
import pytest

from pseudolabel.core.errors import DataError
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.splits.prepare import prepare
from tests.builders import coco, raw_root, splitting, write_json
from tests.splits.prepared import file_names, prepare_detection

NAMES = ("pool/0.png", "pool/1.png")


def add_reviews(root, names=NAMES, **changes):
    """Write reviewed.json with one box per image, but none on the last one."""
    content = coco(list(names))
    review = {"reviewer": "ann", "round": 1} | changes
    content["images"] = [row | review for row in content["images"]]
    content["annotations"] = content["annotations"][: len(names) - 1]
    write_json(root / "reviewed.json", content)
    return root


@pytest.fixture
def root(tmp_path):
    return raw_root(tmp_path / "raw", gold_count=8, test=2)


def test_reviewed_images_leave_the_pool_and_join_gold(root, tmp_path):
    before, _ = prepare_detection(root, tmp_path / "before")
    splits, report = prepare_detection(add_reviews(root), tmp_path / "out")
    assert report["reviewed"] == 2
    names, names_before = file_names(splits), file_names(before)
    assert names["pool"] == {"pool/2.png"}
    assert names["gold"] == names_before["gold"] | set(NAMES)
    # A review does not change what is measured on.
    assert all(names[split] == names_before[split] for split in ("val", "test"))


def test_their_labels_say_that_they_come_from_a_review(root, tmp_path):
    prepare_detection(add_reviews(root), tmp_path / "out")
    folder = SplitFolder(tmp_path / "out" / "gold")
    content = json.loads(folder.coco_file.read_text())
    files = {row["id"]: row["file_name"] for row in content["images"]}
    sources = {(files[row["image_id"]], row["source"]) for row in content["annotations"]}
    assert ("pool/0.png", "review") in sources
    assert {source for name, source in sources if name.startswith("gold/")} == {"gold"}
    assert not any(name == "pool/1.png" for name, _ in sources)
    with (folder.path / "reviews.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"file": name, "reviewer": "ann", "round": "1"} for name in NAMES]
    assert folder.reviewed_images == 2


def test_a_list_of_the_pool_may_still_name_reviewed_images(root, tmp_path):
    write_json(root / "pool.json", coco(["pool/0.png", "pool/1.png", "pool/2.png"]))
    splits, report = prepare_detection(add_reviews(root), tmp_path / "out")
    assert file_names(splits)["pool"] == {"pool/2.png"}
    assert report["removed"] == []


def test_a_reviewed_image_that_is_in_test_too_is_refused(root, tmp_path):
    add_reviews(root, ("test/0.png",))
    with pytest.raises(DataError, match=r"reviewed.json: image 'test/0.png': .*also in test.json"):
        prepare_detection(root, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reviewer": ""}, "image 'pool/0.png': expected a `reviewer`, text, found ''"),
        ({"reviewer": None}, "image 'pool/1.png': expected a `reviewer`, text, found None"),
        ({"round": "1"}, "expected a `round` from 0, found '1'"),
        ({"round": True}, "expected a `round` from 0, found True"),
        ({"round": -1}, "expected a `round` from 0, found -1"),
    ],
)
def test_each_fault_of_a_review_is_named(root, tmp_path, change, message):
    add_reviews(root, **change)
    with pytest.raises(DataError) as error:
        prepare_detection(root, tmp_path / "out")
    assert message in str(error.value)
    assert "reviewed.json" in str(error.value)


def test_other_classes_than_those_of_gold_are_refused(root, tmp_path):
    add_reviews(root)
    content = json.loads((root / "reviewed.json").read_text())
    content["categories"][0]["name"] = "other"
    write_json(root / "reviewed.json", content)
    with pytest.raises(DataError, match="reviewed.json: categories: expected the categories of"):
        prepare_detection(root, tmp_path / "out")


def test_a_damaged_file_is_a_plain_fault(root, tmp_path):
    (root / "reviewed.json").write_text("{")
    with pytest.raises(DataError, match="reviewed.json: expected JSON, found"):
        prepare_detection(root, tmp_path / "out")


def test_reviews_give_the_same_bytes_each_time(root, tmp_path):
    add_reviews(root)
    for name in ("first", "second"):
        prepare(root, tmp_path / name, "detection", splitting(), 0, reviews=root)
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*"))
    assert np.all(
        [
            (tmp_path / "first" / path).read_bytes() == (tmp_path / "second" / path).read_bytes()
            for path in files
            if (tmp_path / "first" / path).is_file()
        ]
    )
