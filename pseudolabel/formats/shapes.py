"""What an annotation of a COCO file says: its shape, score, round and crowd flag, checked."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, TypeGuard

from pseudolabel import masks
from pseudolabel.errors import shown
from pseudolabel.formats.segmentations import parse_segmentation

OVERHANG = 1.0
"""Pixels that a box may lie outside its image, as rounding leaves them; they are clipped."""
LARGEST_ID = 2**63 - 1
LARGEST_ROUND = 2**15 - 1

Record = dict[str, Any]
Sizes = dict[int, tuple[int, int]]


class Contract(Enum):
    """What an annotation must have beside its image and category."""

    BOX = "a box"
    MASK = "a mask, which its box and area are taken from"
    CLASS = "nothing"
    ANY = "a box, a mask or nothing, as this project wrote it"


def is_id(value: Any) -> TypeGuard[int]:
    """Return whether a value can be an id."""
    return type(value) is int and 0 <= value <= LARGEST_ID


def wrong_columns(row: Record) -> list[tuple[str, str]]:
    """Return what was expected and found of an annotation's score, round and crowd flag."""
    wrong = []
    score, number, crowd = row.get("score"), row.get("round"), row.get("iscrowd")
    if score is not None and not is_number(score):
        wrong.append(("a `score`, a finite number", shown(score)))
    if number is not None and not (is_id(number) and number <= LARGEST_ROUND):
        wrong.append((f"a `round`, a whole number from 0 to {LARGEST_ROUND}", shown(number)))
    if crowd is not None and not (type(crowd) in (int, bool) and crowd in (0, 1)):
        wrong.append(("an `iscrowd`, 0 or 1", shown(crowd)))
    return wrong


NO_BOX = (math.nan,) * 4
Shape = tuple[tuple[float, float, float, float], float, bytes]
"""Box, area and mask of an annotation."""


def parse_shape(
    row: Record, sizes: Sizes, contract: Contract
) -> tuple[Shape, list[tuple[str, str]]]:
    """Return what a contract wants of an annotation's shape, and what is wrong with it."""
    image_id = row.get("image_id")
    size = sizes.get(image_id) if is_id(image_id) else None
    area = row.get("area")
    area = float(area) if is_number(area) else math.nan
    if contract is Contract.MASK or (contract is Contract.ANY and "segmentation" in row):
        if size is None:
            return (NO_BOX, area, b""), []
        counts, wrong = parse_segmentation(row.get("segmentation"), size)
        if wrong is not None:
            return (NO_BOX, area, b""), [wrong]
        width, height = size
        box = tuple(masks.boxes_xyxy([counts], height, width)[0].tolist())
        return (box, float(masks.areas([counts], height, width)[0]), counts), []
    if contract is Contract.BOX or (contract is Contract.ANY and "bbox" in row):
        box, wrong = parse_box(row.get("bbox"), size)
        if math.isnan(area):
            area = (box[2] - box[0]) * (box[3] - box[1])
        return (box, area, b""), [wrong] if wrong is not None else []
    return (NO_BOX, area, b""), []


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def parse_box(
    bbox: Any, size: tuple[int, int] | None
) -> tuple[tuple[float, float, float, float], tuple[str, str] | None]:
    """Return a COCO box as x1, y1, x2, y2 clipped to the image, or what was expected and found."""
    if not (isinstance(bbox, list) and len(bbox) == 4 and all(map(is_number, bbox))):
        return NO_BOX, ("a `bbox` of 4 finite numbers, x, y, width, height", shown(bbox))
    x, y, width, height = bbox
    if width <= 0 or height <= 0:
        return NO_BOX, ("a box with an area", f"width {width} and height {height}")
    if size is None:
        return NO_BOX, None
    limit_x, limit_y = size
    over = max(-x, -y, x + width - limit_x, y + height - limit_y)
    box = (max(x, 0.0), max(y, 0.0), min(x + width, limit_x), min(y + height, limit_y))
    if over > OVERHANG or box[0] >= box[2] or box[1] >= box[3]:
        return NO_BOX, (f"a box inside the image ({limit_x}x{limit_y})", f"{bbox}")
    return box, None
