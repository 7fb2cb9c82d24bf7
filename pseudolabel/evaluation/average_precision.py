"""COCO's precision at each recall from matched objects: of a split, and of draws of its images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pseudolabel.evaluation.object_matching import IOU_THRESHOLDS, Matches

Precision = NDArray[np.float64]
Draw = NDArray[np.int64]
Outcomes = NDArray[np.uint32]
_RECALLS = np.linspace(0, 1, 101)
_ALL_AREAS = 0
_IGNORED = 16
"""The lowest bit of ignored in an outcome; hits begin at bit 0."""


def interpolated_precision(matches: Matches, classes: int) -> Precision:
    """Return the (10, 101, c, 4) precision by IoU threshold, recall, class and area range.

    It is the largest precision at this recall or more, as in pycocotools; NaN without gold.

    Args:
        matches: the outcomes of the predictions for a split.
        classes: number of classes.
    """
    areas, thresholds = matches.hits.shape[1], range(len(IOU_THRESHOLDS))
    found = np.empty((len(thresholds), len(_RECALLS), classes, areas))
    for index in range(classes):
        rows = np.flatnonzero(matches.classes == index)
        # Stable: predictions of equal score stay in order of their images.
        rows = rows[np.argsort(-matches.scores[rows], kind="stable")]
        gold = matches.gold_counts[matches.gold_classes == index].sum(axis=0)
        for area, count in enumerate(gold.tolist()):
            outcomes = _outcomes(matches, rows, area)
            found[:, :, index, area] = _precision_at_recalls(outcomes, thresholds, count)
    return found


class DrawnPrecision:
    """The precision of draws of a split's images; an image that was drawn twice counts twice.

    A draw has its predictions in order of falling score, those of equal score in order of the draw.
    Sorting all of them for each draw takes too long. So the predictions of a class are stored once
    as a sparse matrix: one row per image, one column per score, from the highest down. The rows of
    a draw, read column by column, are in this order. SciPy converts a matrix from rows to columns
    by counting, and keeps the order of equal ones.

    Args:
        matches: the outcomes of the predictions for the split.
        images: number of images of the split.
        classes: number of classes.
    """

    def __init__(self, matches: Matches, images: int, classes: int) -> None:
        self.outcomes = [_by_image_and_score(matches, images, index) for index in range(classes)]
        counts = matches.gold_counts[:, _ALL_AREAS]
        cells = matches.gold_classes[counts] * images + matches.gold_images[counts]
        self.gold = np.bincount(cells, minlength=classes * images).reshape(classes, images)

    def at(self, draw: Draw, thresholds: range) -> Precision:
        """Return the (t, 101, c) precision of objects of all areas; NaN without gold.

        Args:
            draw: (d,) rows of images, sorted by id.
            thresholds: the IoU thresholds, by number.
        """
        found = np.empty((len(thresholds), len(_RECALLS), len(self.outcomes)))
        for index, outcomes in enumerate(self.outcomes):
            drawn = outcomes[draw].tocsc().data
            gold = int(self.gold[index, draw].sum())
            found[:, :, index] = _precision_at_recalls(drawn, thresholds, gold)
        return found


def _by_image_and_score(matches: Matches, images: int, index: int) -> csr_array:
    """Return the outcomes of a class by image and score."""
    rows = np.flatnonzero(matches.classes == index)
    scores, columns = np.unique(-matches.scores[rows], return_inverse=True)
    counts = np.bincount(matches.images[rows], minlength=images)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    # SciPy takes the type of the indices as given; small ones are faster.
    indices = columns.astype(np.int32), bounds.astype(np.int32)
    outcomes = _outcomes(matches, rows, _ALL_AREAS)
    return csr_array((outcomes, *indices), shape=(images, len(scores)))


def _outcomes(matches: Matches, rows: NDArray[np.int64], area: int) -> Outcomes:
    """Return the outcomes of some predictions: 16 bits of hits, and above them 16 of ignored."""
    ignored = matches.ignored[rows, area].astype(np.uint32) << _IGNORED
    return ignored | matches.hits[rows, area]


def _precision_at_recalls(outcomes: Outcomes, thresholds: range, gold: int) -> Precision:
    """Return the (t, 101) precision by IoU threshold and recall; NaN without gold.

    Precision is highest at hits, so only these are looked at.

    Args:
        outcomes: (m,) outcomes of predictions, sorted by falling score.
        thresholds: the IoU thresholds, by number.
        gold: number of gold objects.
    """
    if not gold:
        return np.full((len(thresholds), len(_RECALLS)), np.nan)
    precision = np.zeros((len(thresholds), len(_RECALLS)))
    found = np.arange(1, gold + 1, dtype=np.float64)
    needed = np.searchsorted(found / gold, _RECALLS)
    for row, threshold in enumerate(thresholds):
        hits = outcomes & (1 << threshold) > 0
        ignored = outcomes & (1 << threshold + _IGNORED) > 0
        if ignored.any():
            hits = hits[~ignored]
        ranks = np.flatnonzero(hits) + 1
        reached = needed < len(ranks)
        if reached.any():
            best = np.maximum.reduceat(found[: len(ranks)] / ranks, needed[reached])
            precision[row, reached] = np.maximum.accumulate(best[::-1])[::-1]
    return precision
