"""Whatever is wrong with a raw root: no label disappears without its true reason."""

import json
import re
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudolabel.core.errors import DataError
from pseudolabel.core.files import hash_folder
from pseudolabel.core.masks import from_polygons
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import read_and_split
from tests.builders import coco, raw_root, splitting, write_json

NUMBERS = st.integers(-60, 90) | st.floats(-60, 90).map(lambda value: round(value, 2))
BOXES = st.lists(NUMBERS, min_size=4, max_size=4) | st.just([3, 4, 10, 12])
PARTS = st.lists(NUMBERS, max_size=12) | st.just([2, 3, 12, 3, 12, 9]) | st.just([5, 5, 9, 9, 7, 7])
SHAPES = {
    "bbox": BOXES | st.sampled_from([[0, 0, 0, 0], [1, 2, 3], None, "box"]),
    "segmentation": st.lists(PARTS, max_size=3)
    | st.sampled_from([None, {"size": [30, 40], "counts": [600, 60, 540]}]),
    "id": st.sampled_from([1, 2, 2.0, "3", None, "x", 7]),
    "image_id": st.sampled_from([1, 2, 3, 4, "1", 2.0, 99]),
    "category_id": st.sampled_from([1, 2, "3", 4, 1.0]),
    "keypoints": st.sampled_from([[], [0, 0, 0], [4, 4, 2]]),
}
CHANGES = st.fixed_dictionaries({}, optional=SHAPES)
SIDES = st.sampled_from([40, 30, 80, 60, 20, 15, 40.0, "40", "30", None, 0, "wide", 41])
IMAGES = st.fixed_dictionaries(
    {}, optional={"width": SIDES, "height": SIDES, "id": st.sampled_from([1, 2, "2", 3.0])}
)
CATEGORIES = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from([1, 4, 5, "6"]), "name": st.sampled_from(["disc", "cone"])}
    ),
    max_size=2,
)


@st.composite
def corrupted(draw, most=8):
    """A COCO content of four images of 40x30 with random corruptions in at most `most` labels."""
    content = coco([f"gold/{index}.png" for index in range(4)])
    content["annotations"] += [
        row | {"id": 5 + index} for index, row in enumerate(deepcopy(content["annotations"]))
    ]
    spoilt = draw(st.sets(st.integers(0, 7), max_size=most))
    for number, row in enumerate(content["annotations"]):
        row["segmentation"] = [[2, 3, 12, 3, 12, 15, 2, 15]]
        row.update({"number": number} | (draw(CHANGES) if number in spoilt else {}))
    if most > 1:
        for row in content["images"]:
            row.update(draw(IMAGES))
        content["categories"] += draw(CATEGORIES)
    return content


def has_no_area(row, reason):
    """Whether the reason for dropping a label is true, told by simpler means."""
    box, polygons = row.get("bbox"), row.get("segmentation")
    checks = {
        "its box has no area": lambda: box[2] == 0 or box[3] == 0,
        "its polygons have no pixel": lambda: all(is_tiny(part) for part in polygons),
        "it has neither a box nor a polygon": lambda: box is None and polygons == [],
    }
    both = reason.split(", and ")
    sound_box = box is not None and "its box has no area" not in both
    sound_mask = polygons not in (None, []) and "its polygons have no pixel" not in both
    return all(checks[part]() for part in both) and not sound_box and not sound_mask


def is_tiny(part):
    """Whether a polygon is too thin for a pixel, or lies on the border of its image."""
    x, y = part[::2], part[1::2]
    area = sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x))) / 2
    on_border = max(x) <= 1 or max(y) <= 1 or min(x) >= 39 or min(y) >= 29
    return abs(area) <= 2 * (max(x) - min(x) + max(y) - min(y)) or on_border


def pixels_of(segmentation):
    """The pixels of a mask; a stray part without an area, which repair drops, has none."""
    polygons = isinstance(segmentation, list)
    return from_polygons(segmentation, 30, 40) if polygons else segmentation


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return raw_root(tmp_path_factory.mktemp("properties") / "raw", gold_count=4)


@pytest.mark.parametrize("task", ["detection", "instance", "semantic", "classification"])
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=corrupted())
def test_labels_kept_and_labels_dropped_are_all_labels(task, content, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("repaired")
    write_json(root / "gold.json", content)
    before = hash_folder(root)
    lines = repair(root, folder / "new", task)
    assert hash_folder(root) == before
    after = json.loads((folder / "new" / "gold.json").read_bytes())
    kept = {row["number"]: row for row in after["annotations"]}
    gone = [row for row in content["annotations"] if row["number"] not in kept]
    assert len(kept) == len(after["annotations"])
    reasons = [
        match[1] for line in lines if (match := re.search(r"annotation.*: dropped, (.*)", line))
    ]
    assert len(reasons) == len(gone)
    assert all(has_no_area(row, reason) for row, reason in zip(gone, reasons, strict=True))
    assert task != "classification" or not gone
    assert len(after["images"]) == 4
    used = {
        row["category_id"] for row in after["annotations"] if row["category_id"] in (1, 2, 3, 4)
    }
    assert used <= {int(row["id"]) for row in after["categories"]} | {4}
    assert (json.dumps(after) == json.dumps(content)) == (not lines)
    # A second repair changes nothing.
    assert repair(folder / "new", folder / "again", task) == []
    assert hash_folder(folder / "again") == hash_folder(folder / "new")


@pytest.mark.parametrize("task", ["detection", "instance"])
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=corrupted(most=1))
def test_labels_without_faults_are_not_changed(task, content, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    write_json(root / "gold.json", content)
    try:
        read_and_split(root, task, splitting(), 0)
    except DataError:
        return
    repair(root, folder / "new", task)
    after = json.loads((folder / "new" / "gold.json").read_bytes())
    for row, old in zip(after["annotations"], content["annotations"], strict=True):
        if task == "detection":
            assert row["bbox"] == old["bbox"]
        else:
            assert pixels_of(row["segmentation"]) == pixels_of(old["segmentation"])
