"""Parsing one COCO annotation: its box, its mask and its other fields, with the faults found."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, TypeGuard

from pseudolabel.core import masks
from pseudolabel.core.errors import Fault, short_repr

OVERHANG = 1.0
"""Pixels that a box or polygon may lie outside its image due to rounding; they are clipped."""
_LARGEST_ID = 2**63 - 1
LARGEST_ROUND = 2**15 - 1
_NO_BOX = (math.nan,) * 4

Record = dict[str, Any]
Sizes = dict[int, tuple[int, int]]
"""Width and height of each image, by image id."""
Box = tuple[float, float, float, float]
Shape = tuple[Box, float, bytes]
"""Box (x1, y1, x2, y2), area and mask of an annotation."""
Mismatch = tuple[str, str]
"""The expected value and the value found, as texts."""


class Contract(Enum):
    """What an annotation must have beside its image and category."""

    BOX = "a box"
    MASK = "a mask, from which its box and area are computed"
    CLASS = "nothing"
    ANY = "a box, a mask or nothing, as this project wrote it"


def is_id(value: Any) -> TypeGuard[int]:
    """Return whether a value is a valid id."""
    return type(value) is int and 0 <= value <= _LARGEST_ID


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def check_pixels(rows: list[Record], label: str) -> list[Fault]:
    """Return a fault if all boxes of a file are shares of the image, not pixels.

    Whole numbers are no sign of shares: a box may be the first pixel of its image.

    Args:
        rows: the annotations of the file.
        label: the name of the file.
    """
    boxes = [row["bbox"] for row in rows if isinstance(row.get("bbox"), list)]
    values = [value for box in boxes for value in box]
    shares = all(is_number(value) and 0 <= value <= 1 for value in values)
    if not shares or all(value in (0, 1) for value in values):
        return []
    found = f"{len(boxes):,} boxes with all values between 0 and 1"
    return [Fault(label, "bbox", "boxes in pixels", found)]


def check_columns(row: Record) -> list[Mismatch]:
    """Return the faults in an annotation's score, round and crowd flag."""
    wrong = []
    score, number, crowd = row.get("score"), row.get("round"), row.get("iscrowd")
    if score is not None and not is_number(score):
        wrong.append(("a `score`, a finite number", short_repr(score)))
    if number is not None and not (is_id(number) and number <= LARGEST_ROUND):
        wrong.append((f"a `round`, a whole number from 0 to {LARGEST_ROUND}", short_repr(number)))
    if crowd is not None and not (type(crowd) in (int, bool) and crowd in (0, 1)):
        wrong.append(("an `iscrowd`, 0 or 1", short_repr(crowd)))
    return wrong


def parse_shape(row: Record, sizes: Sizes, contract: Contract) -> tuple[Shape, list[Mismatch]]:
    """Return an annotation's shape, as the contract requires, and the faults in it.

    The shape has NaN in place of a missing box or area, and empty bytes in place of a missing mask.
    """
    image_id = row.get("image_id")
    size = sizes.get(image_id) if is_id(image_id) else None
    area = row.get("area")
    area = float(area) if is_number(area) else math.nan
    if contract is Contract.MASK or (contract is Contract.ANY and "segmentation" in row):
        if size is None:
            return (_NO_BOX, area, b""), []
        counts, wrong = _parse_segmentation(row.get("segmentation"), size)
        if wrong is not None:
            return (_NO_BOX, area, b""), [wrong]
        width, height = size
        box = tuple(masks.boxes_xyxy([counts], height, width)[0].tolist())
        return (box, float(masks.areas([counts], height, width)[0]), counts), []
    if contract is Contract.BOX or (contract is Contract.ANY and "bbox" in row):
        box, wrong = _parse_box(row.get("bbox"), size)
        if math.isnan(area):
            area = (box[2] - box[0]) * (box[3] - box[1])
        return (box, area, b""), [wrong] if wrong is not None else []
    return (_NO_BOX, area, b""), []


def _parse_box(bbox: Any, size: tuple[int, int] | None) -> tuple[Box, Mismatch | None]:
    """Return a COCO box as x1, y1, x2, y2, clipped to its image, or the fault in it."""
    if not (isinstance(bbox, list) and len(bbox) == 4 and all(map(is_number, bbox))):
        return _NO_BOX, ("a `bbox` of 4 finite numbers, x, y, width, height", short_repr(bbox))
    x, y, width, height = bbox
    if width <= 0 or height <= 0:
        return _NO_BOX, ("a box with an area", f"width {width} and height {height}")
    if size is None:
        return _NO_BOX, None
    limit_x, limit_y = size
    over = max(-x, -y, x + width - limit_x, y + height - limit_y)
    box = (max(x, 0.0), max(y, 0.0), min(x + width, limit_x), min(y + height, limit_y))
    if over > OVERHANG or box[0] >= box[2] or box[1] >= box[3]:
        return _NO_BOX, (f"a box inside the image ({limit_x}x{limit_y})", f"{bbox}")
    return box, None


def _parse_segmentation(value: Any, size: tuple[int, int]) -> tuple[bytes, Mismatch | None]:
    """Return the `segmentation` of an annotation as compressed run lengths, or the fault in it."""
    counts, wrong = b"", None
    if isinstance(value, list) and value:
        counts, wrong = parse_polygons(value, size)
    elif isinstance(value, dict):
        counts, wrong = _parse_run_lengths(value, size)
    else:
        wrong = ("a `segmentation`, polygons or run lengths", short_repr(value))
    width, height = size
    if wrong is None and not masks.areas([counts], height, width)[0]:
        wrong = ("a mask with an area", "no pixel")
    return counts, wrong


def parse_polygons(polygons: list[Any], size: tuple[int, int]) -> tuple[bytes, Mismatch | None]:
    """Return the union of polygons as compressed run lengths, or the first fault in them.

    Args:
        polygons: lists of x, y, x, y, ... in pixels.
        size: width and height of the image.
    """
    width, height = size
    for polygon in polygons:
        if not (
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(map(is_number, polygon))
        ):
            expected = "polygons of x, y, x, y, ..., 3 points or more"
            return b"", (expected, short_repr(polygon))
        x, y = polygon[::2], polygon[1::2]
        if max(-min(x), -min(y), max(x) - width, max(y) - height) > OVERHANG:
            found = f"x {min(x)} to {max(x)}, y {min(y)} to {max(y)}"
            return b"", (f"a polygon inside the image ({width}x{height})", found)
    return masks.from_polygons(polygons, height, width), None


def _parse_run_lengths(
    value: dict[str, Any], size: tuple[int, int]
) -> tuple[bytes, Mismatch | None]:
    """Return plain or compressed run lengths in compressed form, or the fault in them."""
    width, height = size
    counts, stated_size = value.get("counts"), value.get("size")
    if stated_size != [height, width]:
        expected = f"a mask of its image's `size`, [{height}, {width}]"
        return b"", (expected, short_repr(stated_size))
    try:
        if isinstance(counts, list):
            runs = counts
        elif isinstance(counts, str):
            runs = list(masks.decode_run_lengths(counts.encode()))
        else:
            return b"", ("`counts` of run lengths, a list or a text", short_repr(counts))
    except ValueError as error:
        return b"", ("run lengths in COCO's code", str(error))
    if not all(type(run) is int and run >= 0 for run in runs) or sum(runs) != height * width:
        return b"", (
            f"run lengths that add up to {height * width} pixels",
            f"{len(runs)} runs of {sum(run for run in runs if type(run) is int)}",
        )
    return masks.from_runs(runs, height, width), None
