"""Boxes and polygons of COCO annotations as points: what lies where, and what has an area."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pseudolabel.core import masks
from pseudolabel.formats.coco_annotations import OVERHANG, Record, is_number

Size = tuple[int, int]
"""Width and height of an image."""
Point = tuple[float, float]

_CANVAS = 500
"""Pixels of the longer side of the picture on which the area of polygons is measured."""


def is_box(value: Any) -> bool:
    """Return whether a value is four finite numbers."""
    return isinstance(value, list) and len(value) == 4 and all(map(is_number, value))


def are_polygons(value: Any, least: int = 6) -> bool:
    """Return whether a value is lists of x, y, x, y, ..., each with `least` numbers or more."""
    return isinstance(value, list) and all(
        isinstance(part, list)
        and len(part) >= least
        and len(part) % 2 == 0
        and all(map(is_number, part))
        for part in value
    )


def has_keypoints(row: Record) -> bool:
    """Return whether an annotation has keypoints, or something in their place."""
    keypoints = row.get("keypoints")
    return any(keypoints) if isinstance(keypoints, list) else keypoints is not None


def has_shape(row: Record) -> bool:
    """Return whether an annotation has a box, a mask or keypoints, or something in their place."""
    missing = row.get("bbox") is None and row.get("segmentation") in (None, [])
    return not missing or has_keypoints(row)


def shape_points(rows: Iterable[Record]) -> list[Point] | None:
    """Return all corners and points of annotations; None if any has another shape or is flipped."""
    points: list[Point] = []
    for row in rows:
        box, polygons = row.get("bbox"), row.get("segmentation") or []
        if not are_polygons(polygons, least=2) or has_keypoints(row):
            return None
        if box is not None:
            if not is_box(box) or min(box[2:]) < 0:
                return None
            points += [(box[0], box[1]), (box[0] + box[2], box[1] + box[3])]
        points += points_of(polygons)
    return points


def points_of(polygons: Sequence[Sequence[float]]) -> list[Point]:
    """Return all points of polygons of x, y, x, y, ..."""
    return [point for part in polygons for point in zip(part[::2], part[1::2], strict=True)]


def fits(points: Sequence[Point], size: tuple[float, float]) -> bool:
    """Return whether points lie inside an image, with the tolerance of the check."""
    return all(
        -OVERHANG <= value <= side + OVERHANG
        for point in points
        for value, side in zip(point, size, strict=True)
    )


def is_flat(part: Sequence[float]) -> bool:
    """Return whether a polygon has no area: fewer than 3 points, or all on one line."""
    points = points_of([part])
    x, y = points[0] if points else (0.0, 0.0)
    far_x, far_y = max(points, key=lambda point: math.dist(point, (x, y)), default=(x, y))
    return all((far_x - x) * (point[1] - y) == (far_y - y) * (point[0] - x) for point in points)


def box_share_inside(box: Sequence[float], size: Size) -> float:
    """Return the share of a box with an area that is inside its image."""
    share = 1.0
    for start, length, side in zip(box[:2], box[2:], size, strict=True):
        share *= max(0.0, min(start + length, side) - max(start, 0)) / length
    return share


def polygons_share_inside(polygons: Sequence[Sequence[float]], size: Size) -> float:
    """Return the share of the area of polygons that is inside their image; 0 without an area."""
    corners = np.array(points_of(polygons), float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    longest = float((high - low).max())
    if not 0 < longest < math.inf:
        return 0.0
    scale = _CANVAS / longest
    width, height = (max(1, math.ceil(side)) for side in (high - low) * scale)
    drawn = [((np.reshape(part, (-1, 2)) - low) * scale).ravel().tolist() for part in polygons]
    (mask,) = masks.decode([masks.from_polygons(drawn, height, width)], height, width)
    x, y = (
        (np.arange(count) + 0.5) / scale + start
        for count, start in zip(mask.shape[::-1], low, strict=True)
    )
    inside = ((y > 0) & (y < size[1]))[:, None] & ((x > 0) & (x < size[0]))
    return float((mask & inside).sum() / max(mask.sum(), 1))


def clip_polygon(part: Sequence[float], size: Size) -> list[float]:
    """Return the part of a polygon inside an image; an empty list if there is none."""
    points: list[tuple[float, ...]] = list(points_of([part]))
    for axis, side in enumerate(size):
        for limit, sign in ((0, 1), (side, -1)):
            points = _cut(points, axis, limit, sign)
    return [value for point in points for value in point]


def _cut(
    points: Sequence[tuple[float, ...]], axis: int, limit: float, sign: int
) -> list[tuple[float, ...]]:
    """Return a polygon without what lies beyond a line across an axis.

    Args:
        points: the corners of the polygon.
        axis: 0 if the line is at an x, 1 if it is at a y.
        limit: the place of the line.
        sign: 1 to keep what is above the limit, -1 to keep what is below it.
    """
    kept: list[tuple[float, ...]] = []
    for index, end in enumerate(points):
        start = points[index - 1]
        before, after = sign * (start[axis] - limit), sign * (end[axis] - limit)
        if before * after < 0:
            share = before / (before - after)
            other = start[1 - axis] + share * (end[1 - axis] - start[1 - axis])
            kept.append((limit, other) if axis == 0 else (other, limit))
        if after >= 0:
            kept.append(end)
    return kept
