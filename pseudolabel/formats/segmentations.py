"""COCO's `segmentation`: polygons and run lengths, checked, as compressed run lengths."""

from __future__ import annotations

import math
from typing import Any

from pseudolabel import masks
from pseudolabel.errors import shown

OVERHANG = 1.0
"""Pixels that a polygon may lie outside its image, as rounding leaves them; they are clipped."""

Wrong = tuple[str, str]
"""What was expected, and what was found instead."""


def parse_segmentation(value: Any, size: tuple[int, int]) -> tuple[bytes, Wrong | None]:
    """Return an annotation's mask as compressed run lengths, or what is wrong with it.

    Args:
        value: the `segmentation` of an annotation.
        size: width and height of its image.
    """
    counts, wrong = b"", None
    if isinstance(value, list) and value:
        counts, wrong = parse_polygons(value, size)
    elif isinstance(value, dict):
        counts, wrong = parse_runs(value, size)
    else:
        wrong = ("a `segmentation`, polygons or run lengths", shown(value))
    width, height = size
    if wrong is None and not masks.areas([counts], height, width)[0]:
        wrong = ("a mask with an area", "no pixel")
    return counts, wrong


def parse_polygons(polygons: list[Any], size: tuple[int, int]) -> tuple[bytes, Wrong | None]:
    """Return the pixels of polygons, or what is wrong with them."""
    width, height = size
    for polygon in polygons:
        if not (
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(type(it) in (int, float) and math.isfinite(it) for it in polygon)
        ):
            expected = "polygons of x, y, x, y, ..., 3 points or more"
            return b"", (expected, shown(polygon))
        x, y = polygon[::2], polygon[1::2]
        if max(-min(x), -min(y), max(x) - width, max(y) - height) > OVERHANG:
            found = f"x {min(x)} to {max(x)}, y {min(y)} to {max(y)}"
            return b"", (f"a polygon inside the image ({width}x{height})", found)
    return masks.from_polygons(polygons, height, width), None


def parse_runs(value: dict[str, Any], size: tuple[int, int]) -> tuple[bytes, Wrong | None]:
    """Return run lengths, plain or compressed, as compressed ones, or what is wrong with them."""
    width, height = size
    counts, said = value.get("counts"), value.get("size")
    if said != [height, width]:
        return b"", (f"a mask of its image's `size`, [{height}, {width}]", shown(said))
    try:
        if isinstance(counts, list):
            runs = counts
        elif isinstance(counts, str):
            runs = list(masks.run_lengths(counts.encode()))
        else:
            return b"", ("`counts` of run lengths, a list or a text", shown(counts))
    except ValueError as error:
        return b"", ("run lengths in COCO's code", str(error))
    if not all(type(it) is int and it >= 0 for it in runs) or sum(runs) != height * width:
        return b"", (
            f"run lengths that add up to {height * width} pixels",
            f"{len(runs)} runs of {sum(it for it in runs if type(it) is int)}",
        )
    return masks.from_runs(runs, height, width), None
