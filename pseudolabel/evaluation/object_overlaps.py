"""IoU of pairs of a prediction and a gold object of its image and class, as COCO defines it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import masks
from pseudolabel.core.columns import positions
from pseudolabel.core.records import Annotations, Dataset

Rows = NDArray[np.int64]
Values = NDArray[np.float64]
Overlaps = Callable[[Annotations, Annotations, Rows, Rows], Values]
"""Returns the (p,) IoU of p pairs, given predictions, gold, and the pairs' rows in both.

The share of a prediction inside a crowd counts as its IoU with the crowd. Pairs are sorted by the
prediction, and all pairs of a prediction have the same image and class.
"""


def boxes_xywh(annotations: Annotations) -> Values:
    """Return the (n, 4) boxes as x, y, width, height."""
    boxes = annotations.boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def box_overlaps(
    predictions: Annotations, gold: Annotations, rows: Rows, gold_rows: Rows
) -> Values:
    """Return the IoU of boxes, rounded at each step as pycocotools rounds it."""
    one, other = boxes_xywh(predictions), boxes_xywh(gold)
    shared = np.ones(len(rows))
    for side in (0, 1):
        begins, lengths = one[rows, side], one[rows, side + 2]
        other_begins, other_lengths = other[gold_rows, side], other[gold_rows, side + 2]
        ends = np.minimum(begins + lengths, other_begins + other_lengths)
        shared *= np.maximum(ends - np.maximum(begins, other_begins), 0)
    own, others = (one[:, 2] * one[:, 3])[rows], (other[:, 2] * other[:, 3])[gold_rows]
    union = np.where(gold.crowds[gold_rows], own, own + others - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def mask_overlaps(truth: Dataset) -> Overlaps:
    """Return the function that computes the IoU of masks in images of a split.

    The mask of a prediction without one is its box.
    """
    images = truth.images

    def overlaps(
        predictions: Annotations, gold: Annotations, rows: Rows, gold_rows: Rows
    ) -> Values:
        # A block is all pairs of one image and class: n predictions with the same m objects.
        blocks = np.stack([predictions.image_ids[rows], predictions.category_ids[rows]])
        changes = np.flatnonzero((blocks[:, 1:] != blocks[:, :-1]).any(axis=0)) + 1
        image_rows = positions(blocks[0], images.ids)
        values = [np.empty(0)]
        for begin, end in pairwise(sorted({0, *changes.tolist(), len(rows)})):
            count = np.count_nonzero(rows[begin:end] == rows[begin])
            predicted, true = rows[begin:end:count], gold_rows[begin : begin + count]
            row = image_rows[begin]
            size = int(images.heights[row]), int(images.widths[row])
            drawn = _with_boxes_as_masks(predictions, predicted, *size)
            crowds = gold.crowds[true]
            values.append(masks.coco_overlaps(drawn, gold.masks[true], crowds, *size).ravel())
        return np.concatenate(values)

    return overlaps


def _with_boxes_as_masks(
    predictions: Annotations, rows: Rows, height: int, width: int
) -> list[bytes]:
    """Return the masks of some predictions for one image."""
    columns = predictions.masks[rows].tolist(), predictions.boxes_xyxy[rows].tolist()
    return [
        mask or masks.from_polygons([[x1, y1, x1, y2, x2, y2, x2, y1]], height, width)
        for mask, (x1, y1, x2, y2) in zip(*columns, strict=True)
    ]
