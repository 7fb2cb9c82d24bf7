"""Hiding what is neither an object nor background: detectors take crowds for background."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class HideCrowds(BaseTransform):  # type: ignore[misc]
    """Fills the boxes of crowds with the image's mean colour, and takes them off the objects.

    Objects that reach into such a box stay visible. It works with every detector, as what cannot
    be seen is background indeed.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return an image with its annotations, as they are before any augmentation."""
        crowds = np.asarray(results["gt_ignore_flags"], bool)
        if not crowds.any():
            return results
        boxes = results["gt_bboxes"].numpy()
        image = results["img"].copy()
        size = image.shape[:2]
        hidden = inside(boxes[crowds], size) & ~inside(boxes[~crowds], size)
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


def inside(boxes_xyxy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of an (h, w) image any of (n, 4) boxes touches."""
    touched = np.zeros(size, bool)
    for box in boxes_xyxy:
        (x1, y1), (x2, y2) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
        touched[max(0, y1) : y2, max(0, x1) : x2] = True
    return touched
