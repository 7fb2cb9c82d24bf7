import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from pseudolabel.core.errors import DataError
from pseudolabel.raw.repair import repair
from pseudolabel.splits.prepare import read_and_split
from tests.builders import coco, raw_root, splitting, write_json


def root_of(tmp_path, stated, bbox, orientation=1, **annotation):
    """A raw root of 40x30 files; its first image has another stated size, and one label."""
    root = raw_root(tmp_path / "raw", gold_count=4)
    content = coco([f"gold/{index}.png" for index in range(4)])
    if orientation != 1:
        pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(root / "images" / "gold" / "0.jpg", exif=exif)
        content["images"][0]["file_name"] = "gold/0.jpg"
    content["images"][0] |= dict(zip(("width", "height"), stated, strict=True))
    content["annotations"][0] |= {"bbox": bbox} | annotation
    write_json(root / "gold.json", content)
    return root


def repaired(root, task="detection"):
    """The repairs, the first image and its label; a second repair changes nothing."""
    new = root.parent / "new"
    repairs = repair(root, new, task)
    assert repair(new, root.parent / "again", task) == []
    content = json.loads((new / "gold.json").read_bytes())
    return repairs, content["images"][0], content["annotations"][0]


def assert_fault_stays(root):
    before = (root / "gold.json").read_bytes()
    assert repair(root, root.parent / "new", "detection") == []
    assert (root.parent / "new" / "gold.json").read_bytes() == before
    with pytest.raises(DataError, match="expected the file's width and height"):
        read_and_split(root.parent / "new", "detection", splitting(), 0)


@pytest.mark.parametrize("factor", [2, 0.5])
def test_labels_are_scaled_with_their_image(tmp_path, factor):
    box = [value * factor for value in (4, 6, 20, 10)]
    polygon = [value * factor for value in (4, 6, 24, 6, 24, 16)]
    stated = [int(40 * factor), int(30 * factor)]
    area = 100 * factor**2
    root = root_of(tmp_path, stated, box, segmentation=[polygon], area=area)
    repairs, image, label = repaired(root)
    line = f"size {stated[0]}x{stated[1]} corrected to 40x30, 1 label scaled"
    assert repairs == [f"gold.json: image id 1: {line}"]
    assert (image["width"], image["height"]) == (40, 30)
    assert (label["bbox"], label["area"]) == ([4, 6, 20, 10], 100)
    assert label["segmentation"] == [[4, 6, 24, 6, 24, 16]]
    read_and_split(tmp_path / "new", "detection", splitting(), 0)


def test_sides_of_one_factor_may_be_rounded(tmp_path):
    repairs, _, label = repaired(root_of(tmp_path, [4000, 3001], [400, 300.1, 400, 300.1]))
    assert repairs == [
        "gold.json: image id 1: size 4000x3001 corrected to 40x30, 1 label scaled",
    ]
    assert label["bbox"] == pytest.approx([4, 3, 4, 3])


@pytest.mark.parametrize(
    ("stated", "bbox"),
    [
        ([80, 30], [4, 6, 20, 10]),
        ([41, 30], [4, 6, 20, 10]),
        ([80, 60], [70, 50, 20, 20]),
        ([20, 15], [10, 10, 20, 10]),
        ([30, 40], [4, 6, 20, 10]),
        ([80.5, 60], [4, 6, 20, 10]),
        (["wide", 30], [4, 6, 20, 10]),
        ([None, 60], [4, 6, 20, 10]),
        ([-40, 30], [4, 6, 20, 10]),
        ([True, 30], [4, 6, 20, 10]),
        ([80, 60], [4, 6, 20]),
        ([80, 60], [24, 16, -20, -10]),
    ],
    ids=[
        "two factors",
        "one more column",
        "a label outside the stated size",
        "a label that fits the file alone",
        "swapped sides without EXIF",
        "half a pixel",
        "text",
        "one side alone",
        "negative",
        "a truth value",
        "a box of three numbers",
        "a flipped box",
    ],
)
def test_another_size_stays_a_fault_and_nothing_is_changed(tmp_path, stated, bbox):
    root = root_of(tmp_path, stated, bbox)
    before = (root / "gold.json").read_bytes()
    assert repair(root, tmp_path / "new", "detection") == []
    assert (tmp_path / "new" / "gold.json").read_bytes() == before
    with pytest.raises(DataError, match="image id 1"):
        read_and_split(tmp_path / "new", "detection", splitting(), 0)


@pytest.mark.parametrize(
    "shape",
    [
        {"segmentation": {"size": [60, 80], "counts": [4800]}},
        {"segmentation": [[4, 6, 24, 6, 24, 16, 9]]},
        {"keypoints": [4, 6, 2]},
    ],
    ids=["run lengths", "odd polygon", "keypoints"],
)
def test_a_size_with_labels_that_cannot_be_moved_stays_a_fault(tmp_path, shape):
    assert_fault_stays(root_of(tmp_path, [80, 60], [4, 6, 20, 10], **shape))


def test_no_label_is_moved_if_the_labels_of_another_image_contradict(tmp_path):
    root = root_of(tmp_path, [80, 60], [4, 6, 20, 10])
    content = json.loads((root / "gold.json").read_bytes())
    content["images"][1] |= {"width": 20, "height": 15}
    content["annotations"][1]["bbox"] = [10, 10, 20, 10]
    write_json(root / "gold.json", content)
    assert_fault_stays(root)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_are_turned_as_viewers_turn_the_photo(tmp_path, orientation):
    polygon = [2, 3, 37, 3, 37, 10]
    root = root_of(tmp_path, [40, 30], [2, 3, 35, 7], orientation, segmentation=[polygon], area=122)
    repairs, image, label = repaired(root)
    line = "size 40x30 corrected to 30x40, 1 label turned"
    assert repairs == [f"gold.json: image id 1: {line}"]
    assert (image["width"], image["height"]) == (30, 40)
    # The truth: Pillow turns a picture of the box.
    stored = np.zeros((30, 40), np.uint8)
    stored[3:10, 2:37] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "truth.png"
    Image.fromarray(stored).save(path, exif=exif)
    shown = np.array(ImageOps.exif_transpose(Image.open(path)))
    rows, columns = np.nonzero(shown)
    left, top = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
    assert label["bbox"] == [left, top, width, height]
    assert label["area"] == 122
    (points,) = label["segmentation"]
    x, y = points[::2], points[1::2]
    assert [min(x), min(y), max(x), max(y)] == [left, top, left + width, top + height]
    read_and_split(tmp_path / "new", "detection", splitting(), 0)


def test_a_turned_photo_whose_labels_are_turned_already_stays_a_fault(tmp_path):
    assert_fault_stays(root_of(tmp_path, [40, 30], [2, 3, 10, 36], orientation=6))


@pytest.mark.parametrize(
    "stated",
    [[40.0, 30.0], ["40", "30"], ["40.0", 30], [None, None], [0, 0], ["", 30], [None, 30]],
)
def test_a_size_that_says_nothing_else_is_corrected(tmp_path, stated):
    repairs, image, label = repaired(root_of(tmp_path, stated, [4, 6, 20, 10]))
    (line,) = repairs
    assert line.endswith("corrected to 40x30")
    assert (image["width"], image["height"]) == (40, 30)
    assert type(image["width"]) is type(image["height"]) is int
    assert label["bbox"] == [4, 6, 20, 10]


def test_the_size_of_an_image_without_labels_is_corrected(tmp_path):
    root = root_of(tmp_path, [17, 99], [4, 6, 20, 10], image_id=2)
    repairs, _, _ = repaired(root)
    assert repairs == ["gold.json: image id 1: size 17x99 corrected to 40x30"]
