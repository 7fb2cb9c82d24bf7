"""Hiding uncertain objects from the student, so that they count neither as object nor background.

An uncertain object of silver has COCO's crowd flag. Detectors learn crowds as background.
`train.silver_weights: score` hides some of the other objects, too, at random in each step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class HideByScore(BaseTransform):  # type: ignore[misc]
    """Gives objects the crowd flag at random: one with the score s is kept with probability s.

    So an object counts about as much as its score says, with every detector. Gold has the score 1
    and is always kept. SoftTeacher (Xu et al. 2021) weighs its losses for the same reason.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return an image whose objects are not yet loaded, with some of them as crowds."""
        instances, scores = results["instances"], results["scores"]
        hidden = np.random.random(len(scores)) >= scores  # noqa: NPY002 - seeded by SeededDataset
        instances = [
            instance | {"ignore_flag": 1} if hide else instance
            for instance, hide in zip(instances, hidden, strict=True)
        ]
        return results | {"instances": instances}


@TRANSFORMS.register_module()
class HideUncertain(BaseTransform):  # type: ignore[misc]
    """Fills the boxes of crowds with the image's mean colour, and removes these objects.

    Other objects that overlap such a box stay visible. This works with every detector, because the
    filled pixels really are background.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return an image without its crowds, before any augmentation."""
        crowds = np.asarray(results["gt_ignore_flags"], bool)
        if not crowds.any():
            return results
        boxes = results["gt_bboxes"].numpy()
        image = results["img"].copy()
        size = image.shape[:2]
        hidden = pixels_inside(boxes[crowds], size) & ~pixels_inside(boxes[~crowds], size)
        image[hidden] = image.mean(axis=(0, 1)).round().astype(image.dtype)
        kept = torch.as_tensor(~crowds)
        results |= {
            "img": image,
            "gt_bboxes": results["gt_bboxes"][kept],
            "gt_bboxes_labels": results["gt_bboxes_labels"][~crowds],
            "gt_ignore_flags": crowds[~crowds],
        }
        if "gt_masks" in results:
            results["gt_masks"] = results["gt_masks"][np.flatnonzero(~crowds)]
        return results


def pixels_inside(boxes_xyxy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the (h, w) mask of the pixels that any of (n, 4) boxes touches."""
    inside = np.zeros(size, bool)
    for box in boxes_xyxy:
        (x1, y1), (x2, y2) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
        inside[max(0, y1) : y2, max(0, x1) : x2] = True
    return inside
