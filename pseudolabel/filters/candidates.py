"""Predicted objects, and which of them pass each filter: pure functions from rows to a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel import boxes, masks
from pseudolabel.filters.counts import thresholds_of
from pseudolabel.params.detection import ObjectFilter
from pseudolabel.records import Annotations, Category, Images, category_ids_of, positions

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """Predictions with the images and classes that they are judged by.

    Attributes:
        rows: the predictions.
        images: the images that were labelled.
        image_rows: (m,) each prediction's row among the images.
        classes: (m,) each prediction's position among the categories.
        sure: (m,) whether it reaches its class's threshold; the others are in doubt.
    """

    rows: Annotations
    images: Images
    image_rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    sure: Mask

    @classmethod
    def of(
        cls,
        rows: Annotations,
        images: Images,
        categories: tuple[Category, ...],
        section: ObjectFilter,
    ) -> Candidates:
        """Return predictions with their images and classes looked up."""
        classes = positions(rows.category_ids, category_ids_of(categories))
        sure = rows.scores >= thresholds_of(section.threshold, categories)[classes]
        return cls(rows, images, positions(rows.image_ids, images.ids), classes, sure)

    def __getitem__(self, kept: Mask | NDArray[np.int64]) -> Candidates:
        """Return the predictions of a boolean mask or of row numbers."""
        rows, image_rows, classes = self.rows[kept], self.image_rows[kept], self.classes[kept]
        return Candidates(rows, self.images, image_rows, classes, self.sure[kept])


def wide_enough(annotations: Annotations, min_side: float) -> Mask:
    """Return which rows are at least `min_side` pixels wide and high."""
    boxes_xyxy = annotations.boxes_xyxy
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).min(axis=1, initial=np.inf) >= min_side


def off_the_edge(found: Candidates, margin: float | None) -> Mask:
    """Return which rows stay more than `margin` pixels away from their image's edge."""
    if margin is None:
        return np.ones(len(found.rows), bool)
    x1, y1, x2, y2 = found.rows.boxes_xyxy.T
    width = found.images.widths[found.image_rows]
    height = found.images.heights[found.image_rows]
    return (x1 > margin) & (y1 > margin) & (width - x2 > margin) & (height - y2 > margin)


def not_suppressed(annotations: Annotations, nms_iou: float) -> Mask:
    """Return which rows no better row of their image and class overlaps by more than `nms_iou`."""
    largest = int(annotations.category_ids.max(initial=0)) + 1
    groups = annotations.image_ids * largest + annotations.category_ids
    return boxes.grouped_nms(annotations.boxes_xyxy, annotations.scores, groups, nms_iou)


def not_covered(found: Candidates, max_overlap: float) -> Mask:
    """Return which masks no better one of their image, of any class, covers by too much."""
    passed = np.ones(len(found.rows), bool)
    order = np.argsort(found.image_rows, kind="stable")
    borders = np.flatnonzero(np.diff(found.image_rows[order])) + 1
    for own in np.split(order, borders):
        if len(own) > 1:
            image = found.image_rows[own[0]]
            height, width = int(found.images.heights[image]), int(found.images.widths[image])
            passed[own] = masks.uncovered(
                found.rows.masks[own], found.rows.scores[own], height, width, max_overlap
            )
    return passed
