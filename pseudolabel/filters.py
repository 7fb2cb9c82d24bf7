"""Which predictions become silver labels: pure functions from a record to a mask over its rows.

Every filter says what it drops and why; the report's counts add up to what went in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel import boxes
from pseudolabel.errors import ParamsError
from pseudolabel.params import Filter
from pseudolabel.records import Annotations, Category, Images

Mask = NDArray[np.bool_]

OBJECT_REASONS = ("score", "min_side", "edge", "nms")
IMAGE_REASONS = ("unreadable", "min_boxes", "max_boxes")


@dataclass(frozen=True)
class Counts:
    """How many annotations and images went in, and what became of them.

    Attributes:
        dropped: (r, c) annotations dropped, by reason (objects', then images') and class.
        kept: (c,) annotations kept, by class.
        images_dropped: (s,) images dropped, by reason.
        images_kept: images kept.
    """

    dropped: NDArray[np.int64]
    kept: NDArray[np.int64]
    images_dropped: NDArray[np.int64]
    images_kept: int

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two shards together."""
        return Counts(
            self.dropped + other.dropped,
            self.kept + other.kept,
            self.images_dropped + other.images_dropped,
            self.images_kept + other.images_kept,
        )

    @classmethod
    def nothing(cls, classes: int) -> Counts:
        """Return the counts of no shard at all."""
        reasons = len(OBJECT_REASONS) + len(IMAGE_REASONS)
        zeros = np.zeros((reasons, classes), np.int64)
        return cls(zeros, zeros[0], np.zeros(len(IMAGE_REASONS), np.int64), 0)

    def report(self, categories: Sequence[Category]) -> dict[str, object]:
        """Return the counts as JSON values, by reason and by class name."""
        names = [category.name for category in categories]
        reasons = OBJECT_REASONS + IMAGE_REASONS
        return {
            "annotations": {
                "in": int(self.dropped.sum() + self.kept.sum()),
                "out": int(self.kept.sum()),
                "out_by_class": dict(zip(names, self.kept.tolist(), strict=True)),
                "dropped": {
                    reason: dict(zip(names, row.tolist(), strict=True))
                    for reason, row in zip(reasons, self.dropped, strict=True)
                    if reason != "unreadable"
                },
            },
            "images": {
                "in": int(self.images_dropped.sum()) + self.images_kept,
                "out": self.images_kept,
                "dropped": dict(zip(IMAGE_REASONS, self.images_dropped.tolist(), strict=True)),
            },
        }


@dataclass(frozen=True)
class Judged:
    """What filtering made of some images.

    Attributes:
        silver: the annotations kept.
        boxes_left: (n,) boxes each image had when it was judged.
        image_reasons: (n,) index into IMAGE_REASONS, -1 for an image that is kept.
        counts: what went in and what became of it.
    """

    silver: Annotations
    boxes_left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    counts: Counts


def filter_predictions(
    predictions: Annotations,
    images: Images,
    unreadable: Mask,
    categories: Sequence[Category],
    section: Filter,
) -> Judged:
    """Return the predictions that are good enough to be silver labels.

    Objects are judged first, each by itself and then against its neighbours (NMS), images last,
    by the boxes they have left. A row counts under the first reason that drops it.

    Args:
        predictions: the predictions of `images`.
        images: (n,) images that were labelled, with or without predictions.
        unreadable: (n,) images that could not be decoded.
        categories: the classes.
        section: the thresholds.
    """
    reasons = np.full(len(predictions), -1, np.int64)
    rows = rows_of_images(predictions.image_ids, images.ids)
    judge = [
        above_score(predictions, thresholds_of(section.score, categories), categories),
        wide_enough(predictions, section.min_side),
        off_the_edge(predictions, images, rows, section.edge_margin),
    ]
    for index, passed in enumerate(judge):
        reasons[~passed & (reasons < 0)] = index
    sound = reasons < 0
    alone = not_suppressed(predictions[sound], section.nms_iou)
    reasons[np.flatnonzero(sound)[~alone]] = OBJECT_REASONS.index("nms")
    boxes_left = np.bincount(rows[reasons < 0], minlength=len(images))
    image_reasons = judge_images(boxes_left, unreadable, section)
    with_image = image_reasons[rows]
    dropped_with_image = (reasons < 0) & (with_image >= 0)
    reasons[dropped_with_image] = len(OBJECT_REASONS) + with_image[dropped_with_image]
    counts = count(predictions, reasons, image_reasons, categories)
    return Judged(predictions[reasons < 0], boxes_left, image_reasons, counts)


def rows_of_images(image_ids: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each of (m,) image ids, its row among (n,) ids."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids[order], image_ids)]


def thresholds_of(
    score: float | dict[str, float], categories: Sequence[Category]
) -> NDArray[np.float32]:
    """Return the (c,) score threshold of each class.

    Raises:
        ParamsError: thresholds are given by class, and not for every class or for unknown ones.
    """
    names = [category.name for category in categories]
    if not isinstance(score, dict):
        return np.full(len(names), score, np.float32)
    if set(score) != set(names):
        expected, found = ", ".join(names), ", ".join(score)
        raise ParamsError(
            f"filter.score: expected a threshold for each of {expected}; found {found}"
        )
    return np.array([score[name] for name in names], np.float32)


def class_index(annotations: Annotations, categories: Sequence[Category]) -> NDArray[np.int64]:
    """Return the (m,) position of each row's class among the categories."""
    ids = np.array([category.id for category in categories])
    return rows_of_images(annotations.category_ids.astype(np.int64), ids)


def above_score(
    annotations: Annotations, thresholds: NDArray[np.float32], categories: Sequence[Category]
) -> Mask:
    """Return which rows score at least their class's threshold."""
    return annotations.scores >= thresholds[class_index(annotations, categories)]


def wide_enough(annotations: Annotations, min_side: float) -> Mask:
    """Return which rows are at least `min_side` pixels wide and high."""
    boxes_xyxy = annotations.boxes_xyxy
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).min(axis=1, initial=np.inf) >= min_side


def off_the_edge(
    annotations: Annotations, images: Images, rows: NDArray[np.int64], margin: float | None
) -> Mask:
    """Return which rows stay more than `margin` pixels away from their image's edge."""
    if margin is None:
        return np.ones(len(annotations), bool)
    x1, y1, x2, y2 = annotations.boxes_xyxy.T
    width, height = images.widths[rows], images.heights[rows]
    return (x1 > margin) & (y1 > margin) & (width - x2 > margin) & (height - y2 > margin)


def not_suppressed(annotations: Annotations, nms_iou: float) -> Mask:
    """Return which rows no better row of their image and class overlaps by more than `nms_iou`."""
    largest = int(annotations.category_ids.max(initial=0)) + 1
    groups = annotations.image_ids * largest + annotations.category_ids
    return boxes.grouped_nms(annotations.boxes_xyxy, annotations.scores, groups, nms_iou)


def judge_images(
    boxes_left: NDArray[np.int64], unreadable: Mask, section: Filter
) -> NDArray[np.int64]:
    """Return the (n,) reason to drop each image as an index into IMAGE_REASONS, -1 for none."""
    reasons = np.full(len(boxes_left), -1, np.int64)
    reasons[boxes_left > section.max_boxes] = IMAGE_REASONS.index("max_boxes")
    reasons[boxes_left < section.min_boxes] = IMAGE_REASONS.index("min_boxes")
    reasons[unreadable] = IMAGE_REASONS.index("unreadable")
    return reasons


def count(
    predictions: Annotations,
    reasons: NDArray[np.int64],
    image_reasons: NDArray[np.int64],
    categories: Sequence[Category],
) -> Counts:
    """Return the counts of what became of rows and images."""
    kinds, classes = len(OBJECT_REASONS) + len(IMAGE_REASONS), len(categories)
    cells = (reasons + 1) * classes + class_index(predictions, categories)
    table = np.bincount(cells, minlength=(kinds + 1) * classes).reshape(kinds + 1, classes)
    images = np.bincount(image_reasons + 1, minlength=len(IMAGE_REASONS) + 1)
    return Counts(table[1:], table[0], images[1:], int(images[0]))
