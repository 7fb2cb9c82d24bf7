import re

import cv2
import numpy as np
import pytest
from PIL import Image

from pseudolabel.core.errors import DataError
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.raw.coco_splits import coco_split
from pseudolabel.raw.layout import read_raw
from tests.builders import coco, raw_root, write_image, write_json

BOXES = coco_split(Contract.BOX)


def read(root):
    return read_raw(root, BOXES)


def test_a_valid_root_is_read(tmp_path):
    raw = read(raw_root(tmp_path, gold_count=3, pool_count=2, val=1, test=2))
    assert (len(raw.gold.images), len(raw.val.images), len(raw.test.images)) == (3, 1, 2)
    assert raw.pool.file_names.tolist() == ["pool/0.png", "pool/1.png"]
    assert len(set(raw.gold.images.hashes)) == 3


def test_a_root_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match="my_data: expected a folder of raw data, found none"):
        read(tmp_path / "my_data")


def test_pool_json_lists_the_pool(tmp_path):
    root = raw_root(tmp_path, pool_count=3)
    content = coco(["pool/1.png"], first_id=50)
    write_json(root / "pool.json", content | {"annotations": []})
    assert read(root).pool.file_names.tolist() == ["pool/1.png"]


def test_an_unreadable_file_of_the_pool_is_listed(tmp_path):
    root = raw_root(tmp_path, pool_count=2)
    (root / "images" / "pool" / "0.png").write_bytes(b"no image")
    raw = read(root)
    assert raw.unreadable == ["pool/0.png"]
    assert raw.pool.file_names.tolist() == ["pool/1.png"]


def rename_first(root, name):
    content = coco([name, "gold/1.png"])
    write_json(root / "gold.json", content)


def absolute(root):
    rename_first(root, str((root / "images" / "gold" / "0.png").resolve()))


def link_out(root):
    write_image(root / "secret.png", 1)
    (root / "images" / "gold" / "0.png").unlink()
    (root / "images" / "gold" / "0.png").symlink_to(root / "secret.png")


def bomb(root):
    """A PNG header with a size of 50,000 x 50,000 pixels."""
    path = root / "images" / "gold" / "0.png"
    content = bytearray(path.read_bytes())
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    path.write_bytes(content)


def resized(root):
    write_image(root / "images" / "gold" / "0.png", 1, width=41)


def other_classes(root):
    content = coco(["val/0.png"])
    content["categories"][0]["name"] = "ball"
    write_image(root / "images" / "val" / "0.png", 99)
    write_json(root / "val.json", content)


FAULTS = [
    (
        "missing image",
        lambda root: (root / "images" / "gold" / "0.png").unlink(),
        "gold.json: image id 1 (gold/0.png): expected an image file, found no file",
    ),
    (
        "unreadable image",
        lambda root: (root / "images" / "gold" / "0.png").write_bytes(b"x"),
        "gold.json: image id 1 (gold/0.png): expected a readable image, found a file of no known",
    ),
    (
        "wrong size",
        resized,
        "image id 1 (gold/0.png): expected the file's width and height, 41x30, found 40x30",
    ),
    (
        "a path that leads out",
        lambda root: rename_first(root, "../gold.json"),
        "gold.json: image id 1 (../gold.json): expected a path inside images/",
    ),
    ("an absolute path", absolute, "expected a path inside images/, found"),
    (
        "a link that leads out",
        link_out,
        "image id 1 (gold/0.png): expected a path inside images/, found the link 'gold/0.png' to",
    ),
    ("a decompression bomb", bomb, "image id 1 (gold/0.png): expected a readable image, found"),
    (
        "other classes in val",
        other_classes,
        "expected the categories of gold.json, 1 disc, 2 rod, 3 star, found 1 ball, 2 rod, 3 star",
    ),
    (
        "an image in gold and val",
        lambda root: write_json(root / "val.json", coco(["gold/1.png"])),
        "val.json: image 'gold/1.png': expected an image of one split, found one that is also in",
    ),
    (
        "no gold",
        lambda root: (root / "gold.json").unlink(),
        "gold.json: expected a COCO file with the gold labels, found none",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_each_fault_has_file_record_expected_and_found(tmp_path, spoil, message):
    root = raw_root(tmp_path, gold_count=2)
    spoil(root)
    with pytest.raises(DataError, match=re.escape(message)):
        read(root)


def test_faults_of_all_files_are_reported_together(tmp_path):
    root = raw_root(tmp_path, gold_count=3, val=2)
    (root / "images" / "gold" / "0.png").unlink()
    (root / "images" / "val" / "1.png").write_bytes(b"x")
    content = coco([f"gold/{index}.png" for index in range(3)])
    content["annotations"][1]["category_id"] = 7
    write_json(root / "gold.json", content)
    with pytest.raises(DataError) as caught:
        read(root)
    assert [fault.file for fault in caught.value.faults] == ["gold.json", "gold.json", "val.json"]


def test_a_rotated_photo_has_its_displayed_size(tmp_path):
    root = raw_root(tmp_path, gold_count=1)
    path = root / "images" / "gold" / "0.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)
    write_json(root / "gold.json", coco(["gold/0.jpg"], width=40, height=30))
    assert cv2.imread(str(path)).shape == (30, 40, 3)
    assert read(root).gold.images.widths.tolist() == [40]


def test_boxes_as_shares_of_the_image_are_a_fault(tmp_path):
    root = raw_root(tmp_path)
    content = coco([f"gold/{number}.png" for number in range(4)])
    for row in content["annotations"]:
        row["bbox"] = [0.1, 0.2, 0.5, 0.25]
    write_json(root / "gold.json", content)
    with pytest.raises(DataError, match="gold.json: bbox: expected boxes in pixels, found 4 boxes"):
        read(root)
