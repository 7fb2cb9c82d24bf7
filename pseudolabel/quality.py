"""Labels against the truth: which are right, and how much there is to find, class by class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel import masks
from pseudolabel.boxes import iou_matrix
from pseudolabel.formats.label_maps import UNLABELLED
from pseudolabel.records import (
    Annotations,
    Dataset,
    Probabilities,
    category_ids_of,
    positions,
)
from pseudolabel.temperature import tempered, tempered_best

SAME_IOU = 0.5
"""An object is right where it overlaps one of its class by at least as much (PASCAL VOC's rule)."""

Scores = NDArray[np.float32]
Map = NDArray[np.uint8]


@dataclass(frozen=True)
class Trials:
    """Labels that were compared with the truth.

    Attributes:
        classes: (m,) position of each label's class.
        hits: (m,) whether it is right.
        amounts: (m,) how much it counts: 1, or pixels.
        truths: (c,) how much there is to find of each class.
        scores_at: gives their (m,) scores at a temperature.
    """

    classes: NDArray[np.int64]
    hits: NDArray[np.bool_]
    amounts: NDArray[np.float64]
    truths: NDArray[np.float64]
    scores_at: Callable[[float], Scores]

    @property
    def scores(self) -> Scores:
        """The scores as the teacher gave them."""
        return self.scores_at(1.0)


def quality(
    hits: NDArray[np.float64], given: NDArray[np.float64], truths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return precision, recall and F1 of labels; 0 where there are none.

    Args:
        hits: how much of what was given is right.
        given: how much was given.
        truths: how much there is to find.
    """
    precision = np.divide(hits, given, out=np.zeros_like(hits), where=given > 0)
    recall = np.divide(hits, truths, out=np.zeros_like(hits), where=truths > 0)
    total = given + truths
    return precision, recall, np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)


def object_trials(found: Annotations, truth: Dataset) -> Trials:
    """Return objects, matched with those of the truth image by image, the surest first.

    As in COCO's evaluation, each takes the free object of its class that it overlaps most. Masks
    are compared where the truth has them, else boxes; what lies on a crowd is neither right nor
    wrong.
    """
    ids = category_ids_of(truth.categories)
    found = found[np.lexsort((-found.scores, found.image_ids))]
    rows = truth.annotations[np.argsort(truth.annotations.image_ids, kind="stable")]
    hits, counts = np.zeros(len(found), bool), np.ones(len(found), bool)
    sizes = zip(truth.images.heights.tolist(), truth.images.widths.tolist(), strict=True)
    for image_id, (height, width) in zip(truth.images.ids.tolist(), sizes, strict=True):
        begin, end = np.searchsorted(found.image_ids, [image_id, image_id + 1])
        first, last = np.searchsorted(rows.image_ids, [image_id, image_id + 1])
        mine, theirs = found[begin:end], rows[first:last]
        overlaps = overlaps_of(mine, theirs, height, width)
        overlaps[mine.category_ids[:, None] != theirs.category_ids[None]] = 0
        hits[begin:end] = matched(overlaps[:, ~theirs.crowds])
        on_crowd = overlaps[:, theirs.crowds].max(axis=1, initial=0) >= SAME_IOU
        counts[begin:end] = hits[begin:end] | ~on_crowd
    found, hits = found[counts], hits[counts]
    classes = positions(found.category_ids, ids)
    real = positions(rows.category_ids[~rows.crowds], ids)
    truths = np.bincount(real, minlength=len(ids)).astype(np.float64)
    return Trials(
        classes, hits, np.ones(len(found)), truths, lambda value: tempered(found.scores, value)
    )


def overlaps_of(one: Annotations, other: Annotations, height: int, width: int) -> Scores:
    """Return the (n, m) overlaps of one image's objects: of masks, where the others have them."""
    if len(one) and len(other) and all(other.masks):
        return masks.iou_matrix(one.masks, other.masks, height, width)
    return iou_matrix(one.boxes_xyxy, other.boxes_xyxy)


def matched(overlaps: Scores) -> NDArray[np.bool_]:
    """Return which of n objects, the surest first, match one of m that no surer one has taken.

    Args:
        overlaps: (n, m) of the objects with the true ones.
    """
    overlaps = overlaps.copy()
    hits = np.zeros(len(overlaps), bool)
    for row in range(len(overlaps) if overlaps.size else 0):
        best = int(overlaps[row].argmax())
        if overlaps[row, best] >= SAME_IOU:
            hits[row] = True
            overlaps[:, best] = 0
    return hits


def image_trials(found: Probabilities, truth: Dataset) -> Trials:
    """Return the most probable class of each image against its true one."""
    ids, rows = category_ids_of(truth.categories), truth.annotations
    true = positions(rows.category_ids[positions(found.image_ids, rows.image_ids)], ids)
    guesses = found.values.argmax(axis=1)
    return Trials(
        guesses,
        guesses == true,
        np.ones(len(guesses)),
        np.bincount(positions(rows.category_ids, ids), minlength=len(ids)).astype(np.float64),
        lambda value: tempered_best(found.values, value),
    )


def pixel_trials(maps: Iterable[tuple[Map, Map, Map]], classes: int) -> Trials:
    """Return the pixels of label maps, those of one class, confidence and rightness together.

    Pixels that the truth leaves unlabelled are neither right nor wrong.

    Args:
        maps: of each image the labels, their confidences in 255ths and the true labels, (h, w).
        classes: number of classes.
    """
    table = np.zeros((classes, 256, 2), np.int64)
    truths = np.zeros(classes, np.int64)
    for labels, confidences, true in maps:
        known = true != UNLABELLED
        truths += np.bincount(true[known], minlength=classes)[:classes]
        right = labels[known] == true[known]
        cells = (labels[known].astype(np.int64) * 256 + confidences[known]) * 2 + right
        table += np.bincount(cells, minlength=table.size).reshape(table.shape)
    index, confidence, right = np.nonzero(table)
    scores = (confidence / 255).astype(np.float32)
    amounts = table[index, confidence, right].astype(np.float64)
    return Trials(
        index,
        right.astype(bool),
        amounts,
        truths.astype(np.float64),
        lambda value: tempered(scores, value),
    )
