"""Boxes as (n, 4) arrays of x1, y1, x2, y2 in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.grouping import Rows, pairs_within


def areas(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (n,) areas of (n, 4) boxes; 0 for a box with x2 < x1 or y2 < y1."""
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def _paired_intersections(
    first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the (n,) area that the boxes in the same row of two (n, 4) arrays share."""
    corner = np.maximum(first_xyxy[:, :2], second_xyxy[:, :2])
    sides = np.maximum(np.minimum(first_xyxy[:, 2:], second_xyxy[:, 2:]) - corner, 0)
    return sides[:, 0] * sides[:, 1]


def _paired_iou(
    first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the (n,) intersection over union of the boxes in the same row of two (n, 4) arrays."""
    intersection = _paired_intersections(first_xyxy, second_xyxy)
    union = areas(first_xyxy) + areas(second_xyxy) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def iou_matrix(
    first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the (n, m) intersections over union of (n, 4) boxes and (m, 4) boxes."""
    rows, columns = len(first_xyxy), len(second_xyxy)
    first = np.repeat(first_xyxy, columns, axis=0)
    second = np.tile(second_xyxy, (rows, 1))
    return _paired_iou(first, second).reshape(rows, columns)


def covered_shares(
    boxes_xyxy: NDArray[np.float32], crowds_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the (n, m) share of each of (n, 4) boxes that lies inside each of (m, 4) crowds.

    The share is 0 for a box without an area.
    """
    rows, columns = len(boxes_xyxy), len(crowds_xyxy)
    one, other = np.repeat(boxes_xyxy, columns, axis=0), np.tile(crowds_xyxy, (rows, 1))
    inside, own = _paired_intersections(one, other), areas(one)
    shares = np.divide(inside, own, out=np.zeros_like(inside), where=own > 0)
    return shares.reshape(rows, columns)


def grouped_nms(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    groups: NDArray[np.int64],
    iou_threshold: float,
) -> NDArray[np.bool_]:
    """Return the rows that greedy non-maximum suppression keeps within each group.

    Idea: list all overlapping pairs (better, worse) of all groups, and settle them in rounds. A row
    that no better row overlaps is kept, and the rows that it overlaps are removed with their pairs.
    The rounds end when no pair is left. The result equals the usual loop from the highest score.
    Why not a library: supervision loops over groups and boxes in Python and takes all n * n pairs;
    silver must not import torch. benchmarks/million.py measures filtering of 20 million boxes.

    Example: in one group A overlaps B, B overlaps C, and the scores are A > B > C. The pairs are
    (A, B) and (B, C). Round 1: only A is never the worse one, so B is removed, and (B, C) with it.
    No pair is left: A and C are kept. C overlapped only a removed box.

    Args:
        boxes_xyxy: (n, 4) boxes.
        scores: (n,) scores; rows of equal score keep their order.
        groups: (n,) group of each row, such as image and class packed into one number.
        iou_threshold: IoU above which the row with the lower score is removed.

    Returns:
        (n,) mask of the rows that are kept.
    """
    order = np.lexsort((-scores, groups))
    better, worse = overlapping_pairs(boxes_xyxy[order], groups[order], iou_threshold)
    kept_in_order = np.ones(len(order), bool)
    # Rows that no better row overlaps are settled as kept. The rows that they overlap are removed.
    while len(worse):
        unsettled = np.zeros(len(order), bool)
        unsettled[worse] = True
        from_settled = ~unsettled[better]
        kept_in_order[worse[from_settled]] = False
        alive = kept_in_order[better] & kept_in_order[worse] & ~from_settled
        better, worse = better[alive], worse[alive]
    kept = np.empty(len(order), bool)
    kept[order] = kept_in_order
    return kept


def overlapping_pairs(
    boxes_xyxy: NDArray[np.float32], groups: NDArray[np.int64], iou_threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of rows i < j of the same group whose IoU is above a threshold.

    Args:
        boxes_xyxy: (n, 4) boxes.
        groups: (n,) group of each row; rows of the same group must be adjacent.
        iou_threshold: IoU above which a pair counts.

    Returns:
        (p,) rows i and (p,) rows j.
    """
    none: list[Rows] = [np.empty(0, np.int64)]
    firsts, seconds = list(none), list(none)
    for first, second in pairs_within(groups):
        hit = _paired_iou(boxes_xyxy[first], boxes_xyxy[second]) > iou_threshold
        firsts.append(first[hit])
        seconds.append(second[hit])
    return np.concatenate(firsts), np.concatenate(seconds)
