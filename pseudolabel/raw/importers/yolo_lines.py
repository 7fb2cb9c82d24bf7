"""One line of a YOLO label file.

A line has a class and a box (centre and sides as shares of the image), or a class and a polygon.
An extra number at the end is the score; behind it may be the number that a tracker gave the object.
With `kpt_shape` in data.yaml, a line has a class, a box and keypoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pseudolabel.raw.importers.base import Record, box_around

_TOLERANCE = 0.01
"""How far a box or a polygon may lie outside its image, as a share of the image."""
_MOST_POINTS = 150
"""Polygons of more points are not searched for crossings: no set has so many keypoints."""
_SCORE_HINT = "the number of a tracker stands behind a score"
_KEYPOINT_HINT = "add `kpt_shape` to data.yaml if the line has keypoints"


class LineError(Exception):
    """A line that cannot be read, or that could mean two things.

    Attributes:
        expected: the expected value.
        found: the value found.
    """

    def __init__(self, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(f"expected {expected}, found {found}")


def parse_line(
    parts: Sequence[str], size: tuple[int, int], class_count: int, keypoints: tuple[int, int] | None
) -> tuple[int, Record]:
    """Return the number of the class and the fields of the label.

    Args:
        parts: the words of the line.
        size: width and height of the image in pixels.
        class_count: the number of classes.
        keypoints: the number of keypoints and of the values of each, as in `kpt_shape`.

    Raises:
        LineError: the line cannot be read, or could mean two things.
    """
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) < 5 or not all(map(math.isfinite, numbers)):
        raise LineError("a class and 4 numbers or more", " ".join(parts)[:60])
    class_index, values = numbers[0], numbers[1:]
    if class_index != int(class_index) or not 0 <= class_index < class_count:
        raise LineError(f"a class from 0 to {class_count - 1}", parts[0])
    text = " ".join(parts)[:60]
    if keypoints is not None:
        return int(class_index), _pose(values, size, keypoints, text)
    _refuse_ambiguous(values, parts[-1], text)
    fields = _take_score(values)
    return int(class_index), fields | (
        _box(values, size) if len(values) == 4 else _polygon(values, size)
    )


def _pose(values: list[float], size: tuple[int, int], shape: tuple[int, int], text: str) -> Record:
    """Return a box with its keypoints in COCO's form: x, y in pixels and the visibility."""
    count, dimensions = shape
    length = 4 + count * dimensions
    fields = {}
    if len(values) != length:
        extra = values[length:]
        values = values[:length]
        if len(values) < length or len(extra) > 2:
            expected = f"a class, a box and {count} keypoints of {dimensions} numbers (`kpt_shape`)"
            raise LineError(expected, text)
        fields = _score_fields(*extra)
    points: list[float] = []
    for start in range(4, length, dimensions):
        x, y = values[start : start + 2]
        hidden = (x <= 0 and y <= 0) or x < 0 or y < 0
        visible = values[start + 2] if dimensions == 3 else 2 * (not hidden)
        points += [*_pixels((x, y), size), int(visible) if visible == int(visible) else visible]
    seen = sum(value > 0 for value in points[2::3])
    return fields | _box(values[:4], size) | {"keypoints": points, "num_keypoints": seen}


def _take_score(values: list[float]) -> Record:
    """Remove the score and the number of a tracker from the end of a line; return them."""
    # Boxes and polygons have an even number of values, so an odd one is the score. A number that
    # a tracker gave comes behind a score, and is no share of the image.
    if len(values) % 2:
        hint = _SCORE_HINT if len(values) == 5 else _KEYPOINT_HINT
        return _score_fields(values.pop(), hint=hint)
    if len(values) >= 6 and values[-1] >= 2 and values[-1].is_integer() and _in_image(values[:-2]):
        number = values.pop()
        return _score_fields(values.pop(), number)
    return {}


def _score_fields(score: float, number: float | None = None, *, hint: str = _SCORE_HINT) -> Record:
    """Return the fields of a score and of the number that a tracker gave.

    Args:
        score: the score.
        number: the number that a tracker gave.
        hint: what else the line may have, for the message.

    Raises:
        LineError: the score is not from 0 to 1.
    """
    if not 0 <= score <= 1:
        raise LineError(f"a score from 0 to 1 at the end of the line ({hint})", f"{score:g}")
    return {"score": score} | ({} if number is None else {"track_id": int(number)})


def _refuse_ambiguous(values: list[float], last: str, text: str) -> None:
    """Refuse a line that may be a box with more values behind it, and is no sound polygon.

    Raises:
        LineError: the line could mean two things.
    """
    if len(values) < 6 or not _is_sound_box(values[:4]):
        return
    if len(values) == 6 and last in {"0", "1"} and 0 <= values[4] <= 1:
        expected = "a triangle, or a box with its score and the number of a tracker from 2 up"
        raise LineError(expected, f"{text}, which may be either")
    flags = values[6::3]
    triples = len(values) % 3 == 1 and len(flags) > 1 and all(flag in {0, 1, 2} for flag in flags)
    # Rotated boxes have 8 values, and are never taken for a box with two keypoints.
    pairs = len(values) % 2 == 0 and len(values) != 8 and _in_box(values) and _is_tangled(values)
    if triples or pairs:
        raise LineError(f"a polygon; {_KEYPOINT_HINT}", f"{text}, a box with other values behind")


def _is_sound_box(values: Sequence[float]) -> bool:
    """Return whether four values are the centre and the sides of a box inside an image."""
    x, y, width, height = values
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return width > 0 and height > 0 and _in_image(edges)


def _in_image(values: Sequence[float]) -> bool:
    """Return whether all values are shares of an image."""
    return all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values)


def _in_box(values: Sequence[float]) -> bool:
    """Return whether the points behind a box lie in it; those at 0, 0 are hidden."""
    x, y, width, height = values[:4]
    points = np.reshape(values[4:], (-1, 2))
    inside = (abs(points - (x, y)) <= (0.55 * width, 0.55 * height)).all(axis=1)
    return bool((inside | (points == 0).all(axis=1)).all())


def _is_tangled(values: Sequence[float]) -> bool:
    """Return whether the edges of a polygon cross so often that it cannot be an outline.

    Long outlines drawn by hand have a few crossings. Keypoints in their order make more: at least
    one per ten points.
    """
    points = np.reshape(values, (-1, 2))
    if not 4 <= len(points) <= _MOST_POINTS:
        return False
    ends = np.roll(points, -1, axis=0)
    # side[i, j]: on which side of edge i the point j lies.
    along = ends - points
    offset = points[None] - points[:, None]
    side = np.sign(along[:, None, 0] * offset[..., 1] - along[:, None, 1] * offset[..., 0])
    parts = side * np.roll(side, -1, axis=1) < 0
    return bool(np.triu(parts & parts.T).sum() * 10 >= len(points))


def _box(values: Sequence[float], size: tuple[int, int]) -> Record:
    """Return the box of a centre and sides."""
    x, y, width, height = values
    return {"bbox": _pixels([x - width / 2, y - height / 2, width, height], size)}


def _polygon(values: Sequence[float], size: tuple[int, int]) -> Record:
    """Return a polygon and the box around it."""
    polygon = _pixels(values, size)
    box = [round(value, 3) for value in box_around([polygon])]
    return {"segmentation": [polygon], "bbox": box}


def _pixels(values: Sequence[float], size: tuple[int, int]) -> list[float]:
    """Return shares of the width and of the height, in turns, in pixels."""
    return [round(value * size[index % 2], 3) for index, value in enumerate(values)]
