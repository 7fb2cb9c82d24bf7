"""Boxes as (n, 4) arrays of x1, y1, x2, y2 in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pseudolabel.pairs import Rows, pairs_within


def areas(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (n,) areas of (n, 4) boxes, 0 for a box turned inside out."""
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def paired_iou(
    first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the (n,) intersection over union of each row of (n, 4) boxes with its opposite."""
    corner = np.maximum(first_xyxy[:, :2], second_xyxy[:, :2])
    sides = np.maximum(np.minimum(first_xyxy[:, 2:], second_xyxy[:, 2:]) - corner, 0)
    intersection = sides[:, 0] * sides[:, 1]
    union = areas(first_xyxy) + areas(second_xyxy) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def iou_matrix(
    first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the (n, m) intersections over union of (n, 4) boxes with (m, 4) boxes."""
    rows, columns = len(first_xyxy), len(second_xyxy)
    first = np.repeat(first_xyxy, columns, axis=0)
    second = np.tile(second_xyxy, (rows, 1))
    return paired_iou(first, second).reshape(rows, columns)


def grouped_nms(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    groups: NDArray[np.int64],
    iou_threshold: float,
) -> NDArray[np.bool_]:
    """Return which rows greedy non-maximum suppression keeps, each group by itself.

    The result is that of the usual loop (highest score first, a row goes when it overlaps a kept
    one by more than the threshold), for all groups at once. Rows of equal score keep their order.

    Args:
        boxes_xyxy: (n, 4) boxes.
        scores: (n,) scores.
        groups: (n,) group of each row, as image and class packed into one number.
        iou_threshold: overlap above which the lower row goes.

    Returns:
        (n,) mask of the rows kept.
    """
    order = np.lexsort((-scores, groups))
    better, worse = overlapping_pairs(boxes_xyxy[order], groups[order], iou_threshold)
    kept_in_order = np.ones(len(order), bool)
    # Rows that nothing better overlaps are settled; what they overlap goes, and so on down.
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
    """Return the pairs of rows i < j of one group whose overlap is above the threshold.

    Args:
        boxes_xyxy: (n, 4) boxes, rows of one group next to each other.
        groups: (n,) group of each row.
        iou_threshold: overlap above which a pair counts.

    Returns:
        (p,) rows i and (p,) rows j.
    """
    none: list[Rows] = [np.empty(0, np.int64)]
    firsts, seconds = list(none), list(none)
    for first, second in pairs_within(groups):
        hit = paired_iou(boxes_xyxy[first], boxes_xyxy[second]) > iou_threshold
        firsts.append(first[hit])
        seconds.append(second[hit])
    return np.concatenate(firsts), np.concatenate(seconds)
