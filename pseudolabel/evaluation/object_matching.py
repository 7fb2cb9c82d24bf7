"""Match predicted objects with gold as COCO's evaluation does, for many images at once.

pycocotools and faster-coco-eval keep each object as a Python dict and go through the images one by
one. benchmarks/evaluation_at_scale.py compares their time and memory with those of this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.grouping import pairs_between
from pseudolabel.core.records import Annotations, Dataset, category_ids_of
from pseudolabel.evaluation.object_overlaps import Overlaps, boxes_xywh

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""A prediction is a hit at a threshold if its IoU with a gold object is at least this."""
_AREA_RANGES = np.array([[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]])
"""Square pixels of all objects, and of small, medium and large ones."""

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Bits = NDArray[np.uint16]


@dataclass(frozen=True)
class Matches:
    """The outcome of each prediction, sorted by image, class and falling score.

    Outcomes are bits: bit t of a number is the outcome at IoU threshold t. They have one column per
    area range.

    Attributes:
        images: (m,) row of each prediction's image among the split's images, sorted by id.
        classes: (m,) index of its class among the classes, sorted by id.
        scores: (m,) float32.
        hits: (m, 4) whether it takes a gold object.
        ignored: (m, 4) whether it counts neither as right nor as wrong.
        gold_images: (g,) row of each gold object's image.
        gold_classes: (g,) index of its class.
        gold_counts: (g, 4) bool, whether it is to be found.
    """

    images: Rows
    classes: Rows
    scores: NDArray[np.float32]
    hits: Bits
    ignored: Bits
    gold_images: Rows
    gold_classes: Rows
    gold_counts: Flags


def match(truth: Dataset, predictions: Annotations, max_boxes: int, overlaps: Overlaps) -> Matches:
    """Return the outcomes of predictions for images of a split.

    Within an image and class, predictions choose in order of falling score. Each takes the free
    gold object with the largest IoU if that reaches the threshold; of equal ones, the last. Gold
    that does not count (crowds, and objects outside the area range) is taken only if nothing else
    can be, and the prediction is then ignored. A crowd can be taken by several predictions. A
    prediction outside the area range that takes nothing is ignored as well.

    Args:
        truth: the split's gold.
        predictions: predictions for its images; those of other classes are left out.
        max_boxes: number of predictions per image and class that count, the best ones.
        overlaps: returns the IoU of pairs.
    """
    ids = np.sort(category_ids_of(truth.categories))
    predictions = predictions[np.isin(predictions.category_ids, ids)]
    groups = _groups(predictions, truth, ids)
    order = np.lexsort((-predictions.scores, groups))
    order = order[_ranks(groups[order]) < max_boxes]
    predictions, groups = predictions[order], groups[order]
    gold_groups = _groups(truth.annotations, truth, ids)
    order = np.argsort(gold_groups, kind="stable")
    gold, gold_groups = truth.annotations[order], gold_groups[order]
    uncounted = _outside_ranges(gold.areas.astype(np.float64)) | gold.crowds[:, None]
    hits = np.zeros((len(groups), len(_AREA_RANGES)), np.uint16)
    ignored, taken = np.zeros_like(hits), np.zeros(uncounted.shape, np.uint16)
    for gold_rows, rows in pairs_between(gold_groups, groups):
        values = overlaps(predictions, gold, rows, gold_rows)
        reached = np.searchsorted(IOU_THRESHOLDS, values, "right")
        near = np.flatnonzero(reached)
        near = near[np.lexsort((-gold_rows[near], -values[near], rows[near]))]
        pairs = _Pairs(groups[rows[near]], rows[near], gold_rows[near], reached[near])
        for area in range(len(_AREA_RANGES)):
            bits = hits[:, area], ignored[:, area], taken[:, area]
            _settle(pairs, gold.crowds, uncounted[:, area], *bits)
    sides = boxes_xywh(predictions)[:, 2:]
    outside = _outside_ranges(sides[:, 0] * sides[:, 1])
    ignored[outside] |= ~hits[outside]
    classes = len(ids)
    return Matches(
        groups // classes,
        groups % classes,
        predictions.scores,
        hits,
        ignored,
        gold_groups // classes,
        gold_groups % classes,
        ~uncounted,
    )


@dataclass(frozen=True)
class _Pairs:
    """Pairs of a prediction and a gold object with enough IoU for a hit, sorted by prediction.

    The pairs of a prediction are sorted by falling IoU.

    Attributes:
        groups: (p,) image and class.
        rows: (p,) row of the prediction.
        gold_rows: (p,) row of the gold object.
        reached: (p,) number of thresholds that the IoU reaches.
    """

    groups: Rows
    rows: Rows
    gold_rows: Rows
    reached: Rows


def _settle(
    pairs: _Pairs, crowds: Flags, uncounted: Flags, hits: Bits, ignored: Bits, taken: Bits
) -> None:
    """Let predictions take gold objects, for one area range; hits, ignored and taken are changed.

    Idea: the usual loop goes through the pairs of an image and class one after another. Groups do
    not depend on each other, so round k settles pair k of every group at once, and all thresholds
    at once, as bits.

    Args:
        pairs: the pairs.
        crowds: (g,) whether each gold object is a crowd.
        uncounted: (g,) whether it does not count.
        hits: (m,) outcomes of the predictions so far.
        ignored: (m,) outcomes of the predictions so far.
        taken: (g,) whether each gold object is taken.
    """
    last = uncounted[pairs.gold_rows]
    # A stable sort: pairs of a prediction stay sorted by IoU, those with counted gold first.
    order = np.lexsort((last, pairs.rows))
    turns = _ranks(pairs.groups[order])
    by_turn = order[np.argsort(turns, kind="stable")]
    for turn in np.split(by_turn, np.cumsum(np.bincount(turns))[:-1]):
        row, gold_row = pairs.rows[turn], pairs.gold_rows[turn]
        reached = (np.uint16(1) << pairs.reached[turn].astype(np.uint16)) - np.uint16(1)
        new = reached & ~taken[gold_row] & ~hits[row]
        hits[row] |= new
        ignored[row[last[turn]]] |= new[last[turn]]
        free = ~crowds[gold_row]
        taken[gold_row[free]] |= new[free]


def _groups(rows: Annotations, truth: Dataset, category_ids: NDArray[np.int32]) -> Rows:
    """Return the (n,) number of each row's image and class, in order of their ids."""
    images = np.sort(truth.images.ids)
    if not np.isin(rows.image_ids, images).all():
        raise ValueError("expected predictions for images of the split, found other images")
    classes = np.searchsorted(category_ids, rows.category_ids)
    return np.searchsorted(images, rows.image_ids) * len(category_ids) + classes


def _ranks(groups: Rows) -> Rows:
    """Return the (n,) number of rows of the same group before each row; groups are sorted."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)


def _outside_ranges(areas: NDArray[np.float64]) -> Flags:
    """Return for each of (n,) areas whether it is outside of each of the area ranges."""
    return (areas[:, None] < _AREA_RANGES[:, 0]) | (areas[:, None] > _AREA_RANGES[:, 1])
