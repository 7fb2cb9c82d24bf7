"""Albumentations' transforms: labels follow the pixels."""

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from pseudolabel.training.albumentations_bridge import AlbumentationsTransform

CROP = {"type": "Crop", "x_min": 10, "y_min": 10, "x_max": 60, "y_max": 60}
TRANSFORMS = [
    ({"type": "RandomRotate90", "p": 1.0}, True),
    ({"type": "HorizontalFlip", "p": 1.0}, True),
    ({"type": "Transpose", "p": 1.0}, True),
    (CROP, False),
    ({"type": "Affine", "translate_px": {"x": -15, "y": -10}, "p": 1.0}, False),
]
"""Each transform, and whether it keeps both objects of the scene in the image."""


def scene():
    """An image with a pure blue object, in OpenCV's order, and an object in the corner."""
    image = np.full((80, 100, 3), 40, np.uint8)
    masks = np.zeros((2, 80, 100), np.uint8)
    masks[0, 20:40, 30:70], masks[1, 0:4, 0:4] = 1, 1
    image[masks[0] > 0] = (255, 0, 0)
    shapes = BitmapMasks(masks, 80, 100)
    return {
        "img": image,
        "img_shape": (80, 100),
        "gt_masks": shapes,
        "gt_bboxes": shapes.get_bboxes(HorizontalBoxes),
        "gt_bboxes_labels": np.array([5, 7]),
        "gt_ignore_flags": np.array([False, True]),
    }


def apply(transform, results, **options):
    arguments = {"boxes": False, "mask_fill": 0} | options
    return AlbumentationsTransform([transform], **arguments).transform(results)


@pytest.mark.parametrize(
    ("transform", "keeps_both"), TRANSFORMS, ids=[transform["type"] for transform, _ in TRANSFORMS]
)
@pytest.mark.parametrize("masks", [True, False])
def test_boxes_and_masks_follow_the_pixels(transform, keeps_both, masks):
    results = scene()
    if not masks:
        del results["gt_masks"]
    np.random.seed(0)  # noqa: NPY002 - the generator that transforms use
    results = apply(transform, results, boxes=True)
    blue = (results["img"] == (255, 0, 0)).all(axis=2)
    assert results["img_shape"] == blue.shape
    rows, columns = np.nonzero(blue)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.allclose(results["gt_bboxes"].tensor[0].tolist(), box, atol=1)
    assert results["gt_bboxes_labels"].tolist() == ([5, 7] if keeps_both else [5])
    assert results["gt_ignore_flags"].tolist() == ([False, True] if keeps_both else [False])
    if masks:
        assert np.array_equal(results["gt_masks"].masks[0] > 0, blue)


def test_an_image_without_objects_is_transformed():
    results = scene()
    results["gt_masks"] = results["gt_masks"][np.zeros(0, int)]
    results["gt_bboxes"] = results["gt_bboxes"][np.zeros(0, int)]
    results["gt_bboxes_labels"], results["gt_ignore_flags"] = np.zeros(0, int), np.zeros(0, bool)
    results = apply(CROP, results, boxes=True)
    assert (len(results["gt_bboxes"]), len(results["gt_masks"])) == (0, 0)
    assert results["gt_masks"].masks.shape == (0, 50, 50)


def test_pixels_from_outside_the_image_are_unlabelled_in_a_label_map():
    results = {
        "img": np.zeros((40, 40, 3), np.uint8),
        "gt_seg_map": np.full((40, 40), 2, np.uint8),
    }
    shift = {"type": "Affine", "translate_px": {"x": 10, "y": 0}, "p": 1.0}
    results = apply(shift, results, mask_fill=255)
    assert (results["gt_seg_map"][:, :9] == 255).all()
    assert (results["gt_seg_map"][:, 11:] == 2).all()


def test_colours_are_passed_in_the_order_that_albumentations_expects():
    redder = {"type": "RGBShift", "r_shift_limit": (50, 50), "p": 1.0}
    redder |= {"g_shift_limit": (0, 0), "b_shift_limit": (0, 0)}
    results = apply(redder, {"img": np.full((8, 8, 3), 100, np.uint8)})
    # OpenCV has blue first.
    assert results["img"][0, 0].tolist() == [100, 100, 150]


def test_float_images_up_to_255_are_converted():
    results = {"img": np.full((8, 8, 3), 100.4, np.float32)}
    assert apply({"type": "HorizontalFlip", "p": 1.0}, results)["img"].dtype == np.uint8
    assert (results["img"] == 100).all()


def test_the_same_seed_gives_the_same_image():
    transform = AlbumentationsTransform(
        [{"type": "ShiftScaleRotate", "p": 1.0}], boxes=True, mask_fill=0
    )
    results = []
    for seed in (1, 1, 2):
        np.random.seed(seed)  # noqa: NPY002 - the generator that transforms use
        results.append(transform.transform(scene())["img"])
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
