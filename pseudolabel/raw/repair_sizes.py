"""Repairing the image sizes of a COCO file, and the labels that were made on the stated size."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import counted
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.coco_annotations import Record, is_id, is_number
from pseudolabel.formats.image_files import ImageFacts, read_image_facts
from pseudolabel.formats.image_header import UnreadableImageError, read_header
from pseudolabel.raw.repair_ids import objects_in
from pseudolabel.raw.shapes import Point, Size, fits, has_shape, shape_points

SizeOfImage = dict[int, Size]
"""The size of each image whose labels are in its frame, by its id."""

_NUMBER = re.compile(r"\s*[0-9]{1,9}(\.[0-9]*)?\s*")
_LARGEST_DIFFERENCE = 0.005
"""Factors of the two sides that differ by this share or less are the same, but for rounding."""
_TURNED = 5
"""EXIF orientations from this one up swap the width and height of an image."""


@dataclass(frozen=True)
class _Case:
    """An image with labels whose stated size is another than that of its file.

    Attributes:
        row: the image in the COCO file.
        stated: the stated width and height; NaN for one that is no number.
        size: the size of the file, as it is displayed.
        labels: its labels.
        points: all points of its labels; None if they cannot be moved.
    """

    row: Record
    stated: tuple[float, float]
    size: Size
    labels: list[Record]
    points: list[Point] | None

    @property
    def is_contradicted(self) -> bool:
        """Whether the labels show that they were not made on a picture of the stated size."""
        if self.points is None or any(map(math.isnan, self.stated)):
            return False
        return fits(self.points, self.size) and not fits(self.points, self.stated)


@dataclass(frozen=True)
class _Change:
    """How labels get from the picture that was labelled to the file: a word, and a function."""

    word: str
    move: Callable[[Point], Point]


def repair_sizes(content: Record, folder: Path) -> tuple[list[str], SizeOfImage]:
    """Repair the sizes of images in place; return one line per repair, and the sizes that are sure.

    A size that is not the file's shows that the labels were made on another picture. They are
    scaled or turned where it is certain how; else the size stays a fault. A size that is missing or
    of another type is corrected, and so is that of an image without labels.

    Args:
        content: the content of the COCO file.
        folder: the folder of the images.
    """
    rows = [row for row in objects_in(content, "images") if isinstance(row.get("file_name"), str)]
    facts = read_image_facts(folder, [row["file_name"] for row in rows], "files to repair")
    labels = _labels_by_image(content)
    uses = Counter(row["id"] for row in rows if _is_key(row.get("id")))
    lines: list[str] = []
    cases: list[_Case] = []
    sure: list[tuple[Record, Size]] = []
    for row, fact in zip(rows, facts, strict=True):
        if not isinstance(fact, ImageFacts):
            continue
        size = (fact.width, fact.height)
        shapes = labels.get(row["id"], []) if _is_key(row.get("id")) else []
        sides = [_side(row.get("width")), _side(row.get("height"))]
        if shapes and any(side not in (None, true) for side, true in zip(sides, size, strict=True)):
            width, height = (math.nan if side is None else side for side in sides)
            points = shape_points(shapes) if uses[row["id"]] == 1 else None
            cases.append(_Case(row, (width, height), size, shapes, points))
        else:
            lines += _correct(row, size)
            sure.append((row, size))
    for case in _solve(cases, folder):
        lines.append(case[1])
        sure.append((case[0].row, case[0].size))
    sizes = {row["id"]: size for row, size in sure if is_id(row.get("id")) and uses[row["id"]] == 1}
    return lines, sizes


def _is_key(value: Any) -> bool:
    """Return whether a value may be the id of an image, sound or not."""
    return isinstance(value, str | int | float)


def _labels_by_image(content: Record) -> dict[Any, list[Record]]:
    """Return the annotations with a box, a mask or keypoints, by the id of their image."""
    labels: dict[Any, list[Record]] = {}
    for row in objects_in(content, "annotations"):
        if _is_key(row.get("image_id")) and has_shape(row):
            labels.setdefault(row["image_id"], []).append(row)
    return labels


def _side(value: Any) -> float | None:
    """Return a stated width or height; None if nothing is stated, NaN for what is no number."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if value is None or value in (0, ""):
        return None
    return float(value) if is_number(value) else math.nan


def _correct(row: Record, size: Size) -> Iterator[str]:
    """Write the size of the file into the row of an image, if it is another; yield the line."""
    stated = row.get("width"), row.get("height")
    if stated == size and all(type(side) is int for side in stated):
        return
    row["width"], row["height"] = size
    old = "missing size" if stated == (None, None) else f"size {stated[0]}x{stated[1]}"
    yield f"image id {row.get('id')}: {old} corrected to {size[0]}x{size[1]}"


def _solve(cases: list[_Case], folder: Path) -> Iterator[tuple[_Case, str]]:
    """Move the labels of images where it is certain how; yield these images with their lines.

    If the labels of one image show that the file states wrong sizes, no label is moved.
    """
    if any(case.is_contradicted for case in cases):
        return
    for case in cases:
        change = _find_change(case, folder)
        if change is None:
            continue
        for row in case.labels:
            _move_shape(row, change, case)
        (line,) = _correct(case.row, case.size)
        yield case, f"{line}, {counted(len(case.labels), 'label')} {change.word}"


def _find_change(case: _Case, folder: Path) -> _Change | None:
    """Return how the labels of an image get into the frame of its file; None if it is not sure."""
    (width, height), (new_width, new_height) = case.stated, case.size
    if case.points is None or not (width.is_integer() and height.is_integer()):
        return None
    if width < 1 or height < 1 or not fits(case.points, case.stated):
        return None
    orientation = _read_orientation(folder / case.row["file_name"])
    if orientation >= _TURNED and (height, width) == case.size:
        change = _Change("turned", lambda point: _turn(point, case.size, orientation))
    elif _is_one_factor(new_width / width, new_height / height, max(width, height)):
        change = _Change(
            "scaled", lambda point: (point[0] * new_width / width, point[1] * new_height / height)
        )
    else:
        return None
    return change if fits(list(map(change.move, case.points)), case.size) else None


def _turn(point: Point, size: Size, orientation: int) -> Point:
    """Return where viewers show a point of a picture that is stored lying on its side.

    Args:
        point: the point in the picture as it is stored.
        size: the size of the picture as it is displayed.
        orientation: the EXIF orientation, 5 to 8.
    """
    x, y = point
    left = size[0] - y if orientation in (6, 7) else y
    return left, size[1] - x if orientation in (7, 8) else x


def _is_one_factor(across: float, down: float, side: float) -> bool:
    """Return whether the factors of width and height are the same, but for rounding to pixels."""
    difference = abs(across - down)
    return difference * side <= 1 and difference <= _LARGEST_DIFFERENCE * across


def _read_orientation(path: Path) -> int:
    """Return the EXIF orientation of an image file; 1, not turned, if it has none."""
    try:
        return read_header(read_content(path)).orientation
    except (OSError, UnreadableImageError):
        return 1


def _move_shape(row: Record, change: _Change, case: _Case) -> None:
    """Move the box, the polygons and the area of a label in place."""
    if row.get("bbox") is not None:
        x, y, across, down = row["bbox"]
        corners = [change.move((x, y)), change.move((x + across, y + down))]
        (left, right), (top, bottom) = (sorted(values) for values in zip(*corners, strict=True))
        row["bbox"] = [left, top, right - left, bottom - top]
    if row.get("segmentation"):
        row["segmentation"] = [
            [
                value
                for point in zip(part[::2], part[1::2], strict=True)
                for value in change.move(point)
            ]
            for part in row["segmentation"]
        ]
    if is_number(row.get("area")):
        width, height = case.stated
        row["area"] = row["area"] * case.size[0] * case.size[1] / (width * height)
