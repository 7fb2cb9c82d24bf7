"""The filters of predicted objects: pure functions that return a mask of the rows that pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import boxes, masks
from pseudolabel.core.columns import positions
from pseudolabel.core.records import Annotations, Category, Images
from pseudolabel.params.filter import ObjectFilter
from pseudolabel.silver.thresholds import class_thresholds

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """Predictions, with their images, classes and thresholds.

    Attributes:
        rows: the predictions.
        images: the images that were labelled.
        image_rows: (m,) each prediction's row among the images.
        classes: (m,) index of each prediction's class.
        confident: (m,) whether its score reaches the threshold of its class.
    """

    rows: Annotations
    images: Images
    image_rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    confident: Mask

    @classmethod
    def from_predictions(
        cls,
        rows: Annotations,
        images: Images,
        categories: tuple[Category, ...],
        section: ObjectFilter,
    ) -> Candidates:
        """Return candidates, given predictions and the images that they are for.

        Raises:
            ParamsError: thresholds are given by class, but not for exactly these classes.
        """
        classes = rows.class_indices(categories)
        confident = rows.scores >= class_thresholds(section.threshold, categories)[classes]
        return cls(rows, images, positions(rows.image_ids, images.ids), classes, confident)

    def __getitem__(self, kept: Mask | NDArray[np.int64]) -> Candidates:
        """Return the predictions of a boolean mask or of row numbers."""
        rows, image_rows, classes = self.rows[kept], self.image_rows[kept], self.classes[kept]
        return Candidates(rows, self.images, image_rows, classes, self.confident[kept])


def wide_enough(annotations: Annotations, min_side: float) -> Mask:
    """Return which boxes are at least `min_side` pixels wide and high."""
    boxes_xyxy = annotations.boxes_xyxy
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).min(axis=1, initial=np.inf) >= min_side


def off_edge(found: Candidates, margin: float | None) -> Mask:
    """Return which boxes are more than `margin` pixels away from the edge of their image."""
    if margin is None:
        return np.ones(len(found.rows), bool)
    x1, y1, x2, y2 = found.rows.boxes_xyxy.T
    width = found.images.widths[found.image_rows]
    height = found.images.heights[found.image_rows]
    return (x1 > margin) & (y1 > margin) & (width - x2 > margin) & (height - y2 > margin)


def not_suppressed(annotations: Annotations, nms_iou: float) -> Mask:
    """Return which boxes pass NMS within their image and class."""
    largest = int(annotations.category_ids.max(initial=0)) + 1
    groups = annotations.image_ids * largest + annotations.category_ids
    return boxes.grouped_nms(annotations.boxes_xyxy, annotations.scores, groups, nms_iou)


def not_covered(found: Candidates, max_overlap: float) -> Mask:
    """Return which masks are covered by better masks of their image by at most a share."""
    passed = np.ones(len(found.rows), bool)
    order = np.argsort(found.image_rows, kind="stable")
    borders = np.flatnonzero(np.diff(found.image_rows[order])) + 1
    for rows in np.split(order, borders):
        if len(rows) > 1:
            image = found.image_rows[rows[0]]
            height, width = int(found.images.heights[image]), int(found.images.widths[image])
            passed[rows] = masks.uncovered(
                found.rows.masks[rows], found.rows.scores[rows], height, width, max_overlap
            )
    return passed
