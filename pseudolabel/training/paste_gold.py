"""Pasting labelled objects of gold into silver images (copy-paste, Ghiasi et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import DATASETS, TRANSFORMS
from numpy.typing import NDArray

from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.training.hide_uncertain import HideUncertain, pixels_inside

with quiet_imports():
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks

Results = dict[str, Any]
"""An image with its objects, as mmdet's transforms pass it on."""


@TRANSFORMS.register_module()
class PasteGold(BaseTransform):  # type: ignore[misc]
    """Pastes objects of a random gold image into an image, each to the place that it has in gold.

    Objects with masks are pasted by their masks. The others are pasted by their boxes, together
    with all objects that overlap these, so that no object is pasted without its label. Objects
    below lose the covered part of their masks. If less than `min_visible` of an object stays
    visible, the rest of it is hidden, as that of an uncertain object.

    Args:
        p: the probability that an image is changed.
        max_objects: the largest number of objects to paste; between 1 and this number are drawn.
        min_visible: the least visible share of an object that stays.
        gold: the config of the data set of gold; training fills it in. Its images have the size of
            the changed ones.
    """

    def __init__(
        self,
        p: float = 0.5,
        max_objects: int = 10,
        min_visible: float = 0.5,
        gold: dict[str, Any] | None = None,
    ) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"expected p from 0 to 1, found {p}")
        if max_objects < 1:
            raise ValueError(f"expected max_objects from 1, found {max_objects}")
        if not 0 <= min_visible <= 1:
            raise ValueError(f"expected min_visible from 0 to 1, found {min_visible}")
        self.p, self.max_objects, self.min_visible = p, max_objects, min_visible
        self.gold: Any = None if gold is None else DATASETS.build(gold)
        self.hide = HideUncertain()

    def transform(self, results: Results) -> Results:
        """Return the image with the pasted objects, after its own ones."""
        if np.random.random() >= self.p:  # noqa: NPY002 - seeded by SeededDataset
            return results
        source = self.gold[np.random.randint(len(self.gold))]  # noqa: NPY002
        count = len(source["gt_bboxes_labels"])
        if not count:
            return results
        number = np.random.randint(min(count, self.max_objects)) + 1  # noqa: NPY002
        rows = np.random.choice(count, number, replace=False)  # noqa: NPY002
        if "gt_masks" in source:
            area = source["gt_masks"].masks[rows].any(axis=0)
        else:
            rows = _with_overlapping(_boxes(source), rows)
            area = pixels_inside(_boxes(source)[rows], source["img"].shape[:2])
        pasted = self._covered(results, area)
        pasted["img"] = np.where(area[..., None], source["img"], pasted["img"])
        changed: Results = self.hide.transform(_with_objects(pasted, source, np.sort(rows)))
        return changed

    def _covered(self, results: Results, area: NDArray[np.bool_]) -> Results:
        """Return the image whose objects lose an area; hardly visible ones become crowds."""
        boxes = _boxes(results)
        if "gt_masks" in results:
            masks = results["gt_masks"].masks
            left = masks * ~area
            before, after = (pixels.sum(axis=(1, 2)) for pixels in (masks, left))
            changed = (after < before) & (after > 0)
            results = results | {"gt_masks": BitmapMasks(left, *area.shape)}
            boxes = boxes.copy()
            boxes[changed] = np.reshape([_box_around(mask) for mask in left[changed]], (-1, 4))
            visible = after / np.maximum(before, 1)
        else:
            visible = np.array([1 - _covered_share(area, box) for box in boxes])
        flags = np.asarray(results["gt_ignore_flags"], bool) | (visible < self.min_visible)
        return results | {
            "gt_bboxes": HorizontalBoxes(torch.from_numpy(boxes)),
            "gt_ignore_flags": flags,
        }


def _boxes(results: Results) -> NDArray[np.float32]:
    """Return the (n, 4) boxes of an image, x1 y1 x2 y2 in pixels."""
    boxes: NDArray[np.float32] = results["gt_bboxes"].tensor.numpy()
    return boxes


def _with_overlapping(boxes: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return some boxes and all that overlap them, directly or by way of others."""
    begins, ends = boxes[:, :2], boxes[:, 2:]
    meets = (begins[:, None] < ends[None]).all(axis=2) & (ends[:, None] > begins[None]).all(axis=2)
    reached: NDArray[np.bool_] = np.isin(np.arange(len(boxes)), rows)
    while (reached < (more := reached | (meets & reached[:, None]).any(axis=0))).any():
        reached = more
    return np.flatnonzero(reached)


def _box_around(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return x1 y1 x2 y2 around the pixels of a mask that has some."""
    (ys,), (xs,) = np.nonzero(mask.any(axis=1)), np.nonzero(mask.any(axis=0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def _covered_share(area: NDArray[np.bool_], box: NDArray[np.float32]) -> float:
    """Return the share of a box's pixels that an area covers."""
    (x1, y1), (x2, y2) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
    inside = area[max(0, y1) : y2, max(0, x1) : x2]
    return float(inside.mean()) if inside.size else 0.0


def _with_objects(results: Results, source: Results, rows: NDArray[np.int64]) -> Results:
    """Return an image with further objects: those in some rows of another image."""
    names = ("gt_bboxes_labels", "gt_ignore_flags")
    boxes = torch.cat([results["gt_bboxes"].tensor, source["gt_bboxes"].tensor[rows]])
    added: Results = {"gt_bboxes": HorizontalBoxes(boxes)}
    added |= {name: np.concatenate([results[name], source[name][rows]]) for name in names}
    if "gt_masks" in results:
        masks = np.concatenate([results["gt_masks"].masks, source["gt_masks"].masks[rows]])
        added["gt_masks"] = BitmapMasks(masks, *masks.shape[1:])
    return results | added
