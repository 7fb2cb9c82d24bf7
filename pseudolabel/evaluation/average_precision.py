"""COCO's precision at each recall from matched objects: of a split, and of draws of its images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pseudolabel.evaluation.object_matching import IOU_THRESHOLDS, Flags, Matches

Precision = NDArray[np.float64]
Draw = NDArray[np.int64]
_RECALLS = np.linspace(0, 1, 101)
_ALL_AREAS = 0


def interpolated_precision(matches: Matches, classes: int) -> Precision:
    """Return the (10, 101, c, 4) precision by IoU threshold, recall, class and area range.

    It is the largest precision at this recall or more, as in pycocotools; NaN without gold.

    Args:
        matches: the outcomes of the predictions for a split.
        classes: number of classes.
    """
    areas = matches.hits.shape[1]
    found = np.empty((len(IOU_THRESHOLDS), len(_RECALLS), classes, areas))
    for index in range(classes):
        rows = np.flatnonzero(matches.classes == index)
        # Stable: predictions of equal score stay in order of their images.
        rows = rows[np.argsort(-matches.scores[rows], kind="stable")]
        gold = matches.gold_counts[matches.gold_classes == index].sum(axis=0)
        for area, count in enumerate(gold.tolist()):
            hits, ignored = matches.hits[rows, area], matches.ignored[rows, area]
            for threshold in range(len(IOU_THRESHOLDS)):
                bit = np.uint16(1 << threshold)
                row = _precision_at_recalls(hits & bit > 0, ignored & bit > 0, count)
                found[threshold, :, index, area] = row
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
            bits = outcomes[draw].tocsc().data
            count = int(self.gold[index, draw].sum())
            for row, threshold in enumerate(thresholds):
                hits, ignored = bits & (1 << threshold) > 0, bits & (1 << threshold + 16) > 0
                found[row, :, index] = _precision_at_recalls(hits, ignored, count)
        return found


def _by_image_and_score(matches: Matches, images: int, index: int) -> csr_array:
    """Return the outcomes of a class by image and score: bits of hits, then bits of ignored."""
    rows = matches.classes == index
    bits = matches.ignored[rows, _ALL_AREAS].astype(np.uint32) << 16
    bits |= matches.hits[rows, _ALL_AREAS]
    scores, columns = np.unique(-matches.scores[rows], return_inverse=True)
    counts = np.bincount(matches.images[rows], minlength=images)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    # SciPy takes the type of the indices as given; small ones are faster.
    indices = columns.astype(np.int32), bounds.astype(np.int32)
    return csr_array((bits, *indices), shape=(images, len(scores)))


def _precision_at_recalls(hits: Flags, ignored: Flags, gold: int) -> Precision:
    """Return the (101,) precision at each recall; NaN without gold.

    Precision is highest at hits, so only these are looked at.

    Args:
        hits: (m,) whether each prediction takes a gold object, sorted by falling score.
        ignored: (m,) whether it counts neither as right nor as wrong.
        gold: number of gold objects.
    """
    if not gold:
        return np.full(len(_RECALLS), np.nan)
    if ignored.any():
        hits = hits[~ignored]
    precision = np.zeros(len(_RECALLS))
    ranks = np.flatnonzero(hits) + 1
    found = np.arange(1, len(ranks) + 1)
    first = np.searchsorted(found / gold, _RECALLS)
    reached = first < len(ranks)
    if reached.any():
        best = np.maximum.reduceat(found / ranks, first[reached])
        precision[reached] = np.maximum.accumulate(best[::-1])[::-1]
    return precision
