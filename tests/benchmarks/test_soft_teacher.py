"""The online teacher's boxes: they follow the geometric transforms of the student's image."""

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import init_default_scope

from benchmarks.soft_teacher import _recorded
from pseudolabel.models.transforms import fit_to_size

BOX = np.array([40, 20, 90, 60], np.float32)
AFFINE = {
    "type": "albumentations.Affine",
    "scale": [0.8, 1.25],
    "translate_percent": [-0.1, 0.1],
    "border_mode": 0,
    "p": 1.0,
}


def white_rectangle():
    image = np.zeros((96, 128, 3), np.uint8)
    x1, y1, x2, y2 = BOX.astype(int)
    image[y1:y2, x1:x2] = 255
    empty = HorizontalBoxes(torch.zeros(0, 4))
    none = np.zeros(0, np.int64)
    return {
        "img": image,
        "img_shape": image.shape[:2],
        "gt_bboxes": empty,
        "gt_bboxes_labels": none,
        "gt_ignore_flags": none.astype(bool),
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_recorded_matrix_moves_a_box_as_the_image(seed):
    init_default_scope("mmdet")
    np.random.seed(seed)  # noqa: NPY002 - the generator that mmdet uses
    results = white_rectangle()
    flip = {"type": "RandomFlip", "prob": 0.5}
    for config in [flip, _recorded(AFFINE), *fit_to_size((160, 160))]:
        results = TRANSFORMS.build(config)(results)
    matrix = torch.as_tensor(results["homography_matrix"])
    box = HorizontalBoxes(torch.as_tensor(BOX[None]))
    box.project_(matrix)
    content = results["img"][..., 0] == 255
    rows, columns = np.flatnonzero(content.any(1)), np.flatnonzero(content.any(0))
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    expected = box.tensor.numpy()[0].clip(0, 160)
    assert np.abs(found - expected).max() <= 3
    assert not np.allclose(results["homography_matrix"], np.eye(3), atol=0.01)


def test_a_transform_that_boxes_cannot_follow_is_refused():
    with pytest.raises(ValueError, match="found \\['rotate'\\]"):
        _recorded(AFFINE | {"rotate": 30})
    colour = {"type": "albumentations.ToGray", "p": 0.2}
    assert _recorded(colour) == colour
