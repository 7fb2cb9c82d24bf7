"""Compare labels with gold: which labels are right, and how many labels gold has per class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import masks
from pseudolabel.core.boxes import covered_shares, iou_matrix
from pseudolabel.core.columns import positions
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.label_maps import UNLABELLED

MATCH_IOU = 0.5
"""An object is right if its IoU with a gold object of its class is at least this (PASCAL VOC).

It lies on a crowd if at least this share of its own area does, as in COCO's evaluation.
"""

Scores = NDArray[np.float32]
Map = NDArray[np.uint8]


@dataclass(frozen=True)
class ScoredLabels:
    """Labels that were compared with gold.

    Attributes:
        classes: (m,) index of each label's class.
        hits: (m,) whether the label is right.
        amounts: (m,) weight of each label: 1, or a number of pixels.
        totals: (c,) labels or pixels of each class in gold.
        scores: (m,) scores of the teacher, before any scaling.
        probabilities: (m, c) probabilities of all classes, whose maximum is the score; None for
            objects and pixels.
    """

    classes: NDArray[np.int64]
    hits: NDArray[np.bool_]
    amounts: NDArray[np.float64]
    totals: NDArray[np.float64]
    scores: Scores
    probabilities: Scores | None = None


def precision_recall_f1(
    hits: NDArray[np.float64], given: NDArray[np.float64], totals: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1; 0 if they are not defined.

    Args:
        hits: how many of the given labels are right.
        given: how many labels are given.
        totals: how many labels there are to find.
    """
    precision = np.divide(hits, given, out=np.zeros_like(hits), where=given > 0)
    recall = np.divide(hits, totals, out=np.zeros_like(hits), where=totals > 0)
    both = given + totals
    return precision, recall, np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0)


def match_objects(predictions: Annotations, truth: Dataset) -> ScoredLabels:
    """Return predicted objects, matched with gold image by image, the highest score first.

    As in COCO's evaluation, each prediction takes the free gold object of its class with the
    largest IoU. Masks are compared if gold has masks, boxes otherwise. Other predictions of which
    at least half lies inside one crowd of their class are left out: they are neither right nor
    wrong.
    """
    predictions = predictions[np.lexsort((-predictions.scores, predictions.image_ids))]
    images, gold = truth.images, truth.annotations
    # Predictions for images outside the split are left out: hits are listed image by image.
    predictions = predictions[np.isin(predictions.image_ids, images.ids)]
    order = np.argsort(images.ids, kind="stable")
    hits: list[NDArray[np.bool_]] = [np.zeros(0, bool)]
    counts: list[NDArray[np.bool_]] = [np.zeros(0, bool)]
    for row, predicted, true in zip(
        order,
        predictions.by_image(images.ids[order]),
        gold.by_image(images.ids[order]),
        strict=True,
    ):
        size = int(images.heights[row]), int(images.widths[row])
        objects, crowds = true[~true.crowds], true[true.crowds]
        overlaps = overlaps_of(predicted, objects, *size)
        overlaps[_other_class(predicted, objects)] = 0
        hits.append(_match_greedily(overlaps))
        shares = _shares_inside(predicted, crowds, *size)
        shares[_other_class(predicted, crowds)] = 0
        counts.append(hits[-1] | (shares.max(axis=1, initial=0) < MATCH_IOU))
    counted = np.concatenate(counts)
    predictions, right = predictions[counted], np.concatenate(hits)[counted]
    classes = gold[~gold.crowds].class_indices(truth.categories)
    return ScoredLabels(
        predictions.class_indices(truth.categories),
        right,
        np.ones(len(predictions)),
        np.bincount(classes, minlength=len(truth.categories)).astype(np.float64),
        predictions.scores.astype(np.float32, copy=False),
    )


def overlaps_of(predicted: Annotations, true: Annotations, height: int, width: int) -> Scores:
    """Return the (n, m) IoU of one image's objects: of masks if gold has masks, else of boxes."""
    if len(predicted) and len(true) and all(true.masks):
        return masks.iou_matrix(predicted.masks, true.masks, height, width)
    return iou_matrix(predicted.boxes_xyxy, true.boxes_xyxy)


def _shares_inside(predicted: Annotations, crowds: Annotations, height: int, width: int) -> Scores:
    """Return the (n, m) share of each of n objects that lies inside each of m crowds.

    Masks are compared if the crowds have masks, boxes otherwise.
    """
    if len(predicted) and len(crowds) and all(crowds.masks):
        shares = masks.covered_shares(predicted.masks, crowds.masks, height, width)
        return shares.astype(np.float32)
    return covered_shares(predicted.boxes_xyxy, crowds.boxes_xyxy)


def _other_class(one: Annotations, other: Annotations) -> NDArray[np.bool_]:
    """Return for each of (n, m) pairs of objects whether their classes differ."""
    return one.category_ids[:, None] != other.category_ids[None]


def _match_greedily(overlaps: Scores) -> NDArray[np.bool_]:
    """Return the (n,) predictions that match a gold object; the best prediction chooses first.

    Args:
        overlaps: (n, m) IoU of predictions, sorted by falling score, with gold objects.
    """
    overlaps = overlaps.copy()
    hits = np.zeros(len(overlaps), bool)
    for row in range(len(overlaps) if overlaps.size else 0):
        best = int(overlaps[row].argmax())
        if overlaps[row, best] >= MATCH_IOU:
            hits[row] = True
            overlaps[:, best] = 0
    return hits


def match_classes(predictions: Probabilities, truth: Dataset) -> ScoredLabels:
    """Return the most probable class of each image, compared with its class in gold."""
    rows = positions(predictions.image_ids, truth.annotations.image_ids)
    guesses = predictions.values.argmax(axis=1)
    return ScoredLabels(
        guesses,
        guesses == truth.class_indices[rows],
        np.ones(len(guesses)),
        np.bincount(truth.class_indices, minlength=len(truth.categories)).astype(np.float64),
        predictions.values.max(axis=1),
        predictions.values,
    )


def match_pixels(maps: Iterable[tuple[Map, Map, Map]], classes: int) -> ScoredLabels:
    """Return the pixels of label maps; one row is all pixels of one class, confidence and outcome.

    Pixels without a gold label are left out: they are neither right nor wrong.

    Args:
        maps: for each image, three (h, w) maps: the labels, their confidences in steps of 1/255,
            and the labels of gold.
        classes: number of classes.
    """
    table = np.zeros((classes, 256, 2), np.int64)
    totals = np.zeros(classes, np.int64)
    for labels, confidences, true in maps:
        known = true != UNLABELLED
        totals += np.bincount(true[known], minlength=classes)[:classes]
        right = labels[known] == true[known]
        cells = (labels[known].astype(np.int64) * 256 + confidences[known]) * 2 + right
        table += np.bincount(cells, minlength=table.size).reshape(table.shape)
    index, confidence, right = np.nonzero(table)
    return ScoredLabels(
        index,
        right.astype(bool),
        table[index, confidence, right].astype(np.float64),
        totals.astype(np.float64),
        (confidence / 255).astype(np.float32),
    )
