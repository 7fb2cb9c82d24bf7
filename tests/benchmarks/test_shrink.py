"""A shrunk raw root has the same images and labels, only smaller."""

import json

import cv2
import pytest
from pycocotools import mask as coco_mask

from benchmarks.shrink import shrink, shrunk_size
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES

SIZES = [
    ((640, 480), (200, 150)),
    ((480, 640), (150, 200)),
    ((150, 90), (150, 90)),
    ((9000, 3), (200, 1)),
]


@pytest.mark.parametrize(("size", "expected"), SIZES)
def test_only_longer_images_are_shrunk(size, expected):
    assert shrunk_size(*size, 200) == expected


def test_masks_and_boxes_shrink_with_their_images(tmp_path):
    sample = Sample(seed=0, gold=2, val=1, test=1, pool=2, width=96, height=80)
    SAMPLES["instance"](tmp_path / "raw", sample)
    shrink(tmp_path / "raw", tmp_path / "small", 48)
    before, after = (
        json.loads((tmp_path / name / "gold.json").read_text()) for name in ("raw", "small")
    )
    assert [(image["width"], image["height"]) for image in after["images"]] == [(48, 40)] * 2
    for image in after["images"]:
        path = tmp_path / "small" / "images" / image["file_name"]
        assert cv2.imread(str(path)).shape == (40, 48, 3)
    original = {annotation["id"]: annotation for annotation in before["annotations"]}
    for annotation in after["annotations"]:
        assert annotation["segmentation"]["size"] == [40, 48]
        assert annotation["area"] == coco_mask.area(annotation["segmentation"])
        halved = [side / 2 for side in original[annotation["id"]]["bbox"]]
        assert annotation["bbox"] == pytest.approx(halved, abs=2)
