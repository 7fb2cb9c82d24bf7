"""Predicted objects of a split compared with gold, image by image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import boxes, masks
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.report.tide import FOREGROUND_IOU, RIGHT, Judged, judge_image, precision_recall


@dataclass(frozen=True)
class ImageMatch:
    """One image: gold, crowds and predictions, and how they fit together.

    Attributes:
        gold: (g,) objects of gold, without crowds.
        found: (p,) predictions, the best score first.
        ious: (p, g) their IoU.
        judged: the predictions compared with gold.
    """

    gold: Annotations
    found: Annotations
    ious: NDArray[np.float32]
    judged: Judged


def match_images(
    truth: Dataset, predictions: Annotations, max_boxes: int, *, by_mask: bool
) -> Iterator[ImageMatch]:
    """Yield every image of a split with its predictions, compared with gold.

    Args:
        truth: the split's gold.
        predictions: the predictions for all images.
        max_boxes: predictions per image and class that count, the best ones.
        by_mask: whether masks are compared instead of boxes.
    """
    ids = truth.images.ids
    pairs = zip(truth.annotations.by_image(ids), predictions.by_image(ids), strict=True)
    for row, (labels, given) in enumerate(pairs):
        size = int(truth.images.heights[row]), int(truth.images.widths[row])
        ranked = given[np.argsort(-given.scores, kind="stable")]
        counts = _rank_within(ranked.class_indices(truth.categories)) < max_boxes
        found = ranked[counts]
        gold, crowds = labels[~labels.crowds], labels[labels.crowds]
        ious = _ious(found, gold, size, by_mask)
        judged = judge_image(
            ious,
            _shares(found, crowds, size, by_mask),
            found.scores,
            found.class_indices(truth.categories),
            gold.class_indices(truth.categories),
            crowds.class_indices(truth.categories),
        )
        yield ImageMatch(gold, found, ious, judged)


def best_threshold(judged: Judged) -> float:
    """Return the score from which on F1 is highest, over all classes together; 0 without hits."""
    counted = judged.kinds >= RIGHT
    order = np.argsort(-judged.scores[counted], kind="stable")
    hits = (judged.kinds[counted] == RIGHT)[order]
    if not hits.any():
        return 0.0
    precision, recall = precision_recall(hits, len(judged.gold_classes))
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(judged.scores[counted][order][f1.argmax()])


def confusions(match: ImageMatch, threshold: float, classes: int) -> NDArray[np.int64]:
    """Return the (c + 1, c + 1) confusions of one image: gold in rows, predictions in columns.

    The last row counts predictions without gold, the last column gold that was not found. A
    prediction belongs to the gold that it overlaps most, of any class.

    Args:
        match: the image.
        threshold: the lowest score that counts.
        classes: number of classes.
    """
    table = np.zeros((classes + 1, classes + 1), np.int64)
    judged = match.judged
    free = np.ones(len(match.gold), bool)
    for row in np.flatnonzero((judged.scores >= threshold) & (judged.kinds >= RIGHT)):
        overlaps = np.where(free, match.ious[row], 0.0)
        true = classes
        if len(overlaps) and overlaps.max() >= FOREGROUND_IOU:
            free[overlaps.argmax()] = False
            true = int(judged.gold_classes[overlaps.argmax()])
        table[true, judged.classes[row]] += 1
    np.add.at(table[:, classes], judged.gold_classes[free], 1)
    return table


def _rank_within(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (p,) number of earlier rows of the same class."""
    order = np.argsort(classes, kind="stable")
    first = np.searchsorted(classes[order], classes[order], "left")
    ranks = np.empty(len(classes), np.int64)
    ranks[order] = np.arange(len(classes)) - first
    return ranks


def _ious(
    found: Annotations, gold: Annotations, size: tuple[int, int], by_mask: bool
) -> NDArray[np.float32]:
    if not by_mask:
        return boxes.iou_matrix(found.boxes_xyxy, gold.boxes_xyxy)
    return masks.iou_matrix(found.masks, gold.masks, *size)


def _shares(
    found: Annotations, crowds: Annotations, size: tuple[int, int], by_mask: bool
) -> NDArray[np.floating]:
    if not by_mask:
        return boxes.covered_shares(found.boxes_xyxy, crowds.boxes_xyxy)
    return masks.covered_shares(found.masks, crowds.masks, *size)
