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


HOLES = {"type": "CoarseDropout", "num_holes_range": [1, 1], "p": 1.0}
HOLES |= {"hole_height_range": [0.99, 0.99], "hole_width_range": [0.99, 0.99], "fill": 9}
CUTOUTS = [
    HOLES,
    {"type": "OneOf", "transforms": [HOLES], "p": 1.0},
    {"type": "GridDropout", "ratio": 0.9, "fill": 9, "p": 1.0},
    {"type": "Erasing", "scale": [0.9, 0.9], "ratio": [1.25, 1.25], "fill": 9, "p": 1.0},
]


@pytest.mark.parametrize("cutout", CUTOUTS, ids=[cutout["type"] for cutout in CUTOUTS])
@pytest.mark.parametrize("masks", [True, False])
def test_objects_under_a_hole_keep_their_labels(cutout, masks):
    results = scene()
    if not masks:
        del results["gt_masks"]
    results = apply(cutout, results, boxes=True)
    hidden = (results["img"] == 9).all(axis=2)
    assert hidden[20:40, 30:70].mean() > 0.7
    boxes = results["gt_bboxes"].tensor.numpy()
    assert np.allclose(boxes, [[30, 20, 70, 40], [0, 0, 4, 4]], atol=1e-4)
    assert results["gt_bboxes_labels"].tolist() == [5, 7]
    if masks:
        assert results["gt_masks"].masks.sum(axis=(1, 2)).tolist() == [20 * 40, 4 * 4]


def test_masks_are_cut_if_a_hole_has_a_value_for_them():
    results = apply(HOLES | {"fill_mask": 0}, scene(), boxes=True)
    assert 5 not in results["gt_bboxes_labels"]


@pytest.mark.parametrize("cutout", CUTOUTS, ids=[cutout["type"] for cutout in CUTOUTS])
def test_pixels_under_a_hole_are_unlabelled_in_a_label_map(cutout):
    labels = np.arange(80 * 100, dtype=np.uint8).reshape(80, 100) % 5
    results = apply(cutout, {"img": scene()["img"], "gt_seg_map": labels.copy()}, mask_fill=255)
    hidden = (results["img"] == 9).all(axis=2)
    assert 0.5 < hidden.mean() < 1
    assert (results["gt_seg_map"][hidden] == 255).all()
    assert np.array_equal(results["gt_seg_map"][~hidden], labels[~hidden])


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


def test_each_transform_has_its_own_chance():
    drop = {"type": "CoarseDropout", "p": 0.5}
    blue = {"type": "RGBShift", "r_shift_limit": [0, 0], "g_shift_limit": [0, 0], "p": 0.5}
    both = AlbumentationsTransform(
        [blue | {"b_shift_limit": [50, 50]}, drop], boxes=False, mask_fill=0
    )
    counts = np.zeros((2, 2), int)
    for seed in range(200):
        np.random.seed(seed)  # noqa: NPY002 - the generator that transforms use
        image = both.transform({"img": np.full((20, 20, 3), 100, np.uint8)})["img"]
        counts[int((image == 150).any()), int((image == 0).any())] += 1
    # A quarter each, within four standard deviations.
    assert (abs(counts - 50) < 25).all()
