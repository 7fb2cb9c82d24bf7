"""Which predicted objects become silver labels: pure functions from a record to its rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel import boxes, masks
from pseudolabel.filters.counts import Judged, Reasons, count_rows, rows_of, thresholds_of
from pseudolabel.formats import tables
from pseudolabel.params.detection import ObjectFilter
from pseudolabel.params.instance import InstanceFilter
from pseudolabel.records import Annotations, Category, Images, category_ids_of

Mask = NDArray[np.bool_]
Verdict = tuple[str, Mask]
"""The name of a filter, and which rows pass it."""

IMAGE_REASONS = ("unreadable", "min_boxes", "max_boxes")
BOX_REASONS = Reasons("annotations", ("score", "min_side", "edge", "nms"), IMAGE_REASONS)
MASK_REASONS = Reasons(
    "annotations",
    ("score", "min_side", "edge", "min_stability", "min_area", "nms", "max_overlap"),
    IMAGE_REASONS,
)


@dataclass(frozen=True)
class Candidates:
    """Predictions with the images and classes that they are judged by.

    Attributes:
        rows: the predictions.
        images: the images that were labelled.
        image_rows: (m,) each prediction's row among the images.
        classes: (m,) each prediction's position among the categories.
    """

    rows: Annotations
    images: Images
    image_rows: NDArray[np.int64]
    classes: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Annotations, images: Images, categories: tuple[Category, ...]) -> Candidates:
        """Return predictions with their images and classes looked up."""
        classes = rows_of(rows.category_ids, category_ids_of(categories))
        return cls(rows, images, rows_of(rows.image_ids, images.ids), classes)

    def __getitem__(self, kept: Mask | NDArray[np.int64]) -> Candidates:
        """Return the predictions of a boolean mask or of row numbers."""
        return Candidates(self.rows[kept], self.images, self.image_rows[kept], self.classes[kept])


@dataclass(frozen=True)
class BoxRule:
    """Judges predicted boxes: each by itself, then against its neighbours, images last.

    Attributes:
        categories: the classes.
        section: the thresholds.
    """

    categories: tuple[Category, ...]
    section: ObjectFilter
    reasons = BOX_REASONS

    def judge(self, shard: tables.Shard, output: Path) -> Judged:  # noqa: ARG002 - files are of maps
        """Return what becomes of a shard's predictions."""
        broken = np.array(tables.read_unreadable(shard.path), str)
        unreadable = np.isin(shard.images.file_names.astype(str), broken)
        return self.judge_rows(tables.read_shard(shard.path), shard.images, unreadable)

    def judge_rows(self, predictions: Annotations, images: Images, unreadable: Mask) -> Judged:
        """Return what becomes of predictions; a row counts under the first filter that drops it.

        Args:
            predictions: the predictions of `images`.
            images: (n,) images that were labelled, with or without predictions.
            unreadable: (n,) images that could not be decoded.
        """
        found = Candidates.of(predictions, images, self.categories)
        dropped_by = np.full(len(predictions), -1, np.int64)
        for filters in (self.alone, self.among_neighbours):
            left = np.flatnonzero(dropped_by < 0)
            for name, passed in filters(found if len(left) == len(predictions) else found[left]):
                rows = left[~passed]
                fresh = rows[dropped_by[rows] < 0]
                dropped_by[fresh] = self.reasons.labels.index(name)
        boxes_left = np.bincount(found.image_rows[dropped_by < 0], minlength=len(images))
        image_reasons = judge_images(boxes_left, unreadable, self.section)
        with_image = image_reasons[found.image_rows]
        goes = (dropped_by < 0) & (with_image >= 0)
        dropped_by[goes] = len(self.reasons.labels) + with_image[goes]
        counts = count_rows(
            self.reasons, dropped_by, found.classes, image_reasons, len(self.categories)
        )
        return Judged(predictions[dropped_by < 0], boxes_left, image_reasons, counts)

    def alone(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at each prediction by itself."""
        section, rows = self.section, found.rows
        thresholds = thresholds_of(section.threshold, self.categories)
        return [
            ("score", rows.scores >= thresholds[found.classes]),
            ("min_side", wide_enough(rows, section.min_side)),
            ("edge", off_the_edge(found, section.edge_margin)),
        ]

    def among_neighbours(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at what else there is in the image."""
        return [("nms", not_suppressed(found.rows, self.section.nms_iou))]


@dataclass(frozen=True)
class MaskRule(BoxRule):
    """Judges predicted masks: as their boxes are judged, and by what only masks show."""

    section: InstanceFilter
    reasons = MASK_REASONS

    def alone(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at each prediction by itself."""
        rows, section = found.rows, self.section
        return [
            *super().alone(found),
            ("min_stability", ~(rows.stabilities < section.min_stability)),
            ("min_area", rows.areas >= section.min_area),
        ]

    def among_neighbours(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at what else there is in the image."""
        ((name, distinct),) = super().among_neighbours(found)
        passed = distinct.copy()
        passed[distinct] = not_covered(found[distinct], self.section.max_overlap)
        return [(name, distinct), ("max_overlap", passed)]


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


def judge_images(
    boxes_left: NDArray[np.int64], unreadable: Mask, section: ObjectFilter
) -> NDArray[np.int64]:
    """Return the (n,) reason to drop each image as an index into IMAGE_REASONS, -1 for none."""
    reasons = np.full(len(boxes_left), -1, np.int64)
    reasons[boxes_left > section.max_boxes] = IMAGE_REASONS.index("max_boxes")
    reasons[boxes_left < section.min_boxes] = IMAGE_REASONS.index("min_boxes")
    reasons[unreadable] = IMAGE_REASONS.index("unreadable")
    return reasons
