"""Shapes of labelling tools as COCO's boxes, polygons and run lengths."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudolabel.core import masks
from pseudolabel.formats.coco_annotations import is_number
from pseudolabel.formats.image_header import PILLOW_ERRORS
from pseudolabel.raw.importers.base import Record, box_around

_CORNERS = 32
"""Number of corners of the polygon that replaces a circle or an ellipse."""

Polygon = list[float]
Mask = NDArray[np.bool_]


def polygon_of_points(points: Any) -> Polygon | None:
    """Return a list of points as x, y, x, y, ...; None if a value is no point of two numbers."""
    if not isinstance(points, list) or not all(map(_is_point, points)):
        return None
    return [value for point in points for value in point]


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Polygon:
    """Return the corners of a rectangle."""
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def ellipse(x: float, y: float, across: float, down: float, angle: float = 0) -> Polygon:
    """Return a polygon for an ellipse.

    Args:
        x: the centre.
        y: the centre.
        across: the radius along x.
        down: the radius along y.
        angle: the turn in radians, clockwise on the screen.
    """
    steps = [2 * math.pi * number / _CORNERS for number in range(_CORNERS)]
    corners = [
        value
        for step in steps
        for value in (x + across * math.cos(step), y + down * math.sin(step))
    ]
    return [round(value, 3) for value in turned(corners, x, y, angle)]


def turned(polygon: Polygon, x: float, y: float, angle: float) -> Polygon:
    """Return a polygon turned around a point, by an angle in radians, clockwise on the screen."""
    if not angle:
        return polygon
    cos, sin = math.cos(angle), math.sin(angle)
    found: Polygon = []
    for across, down in zip(polygon[::2], polygon[1::2], strict=True):
        dx, dy = across - x, down - y
        found += [round(x + dx * cos - dy * sin, 3), round(y + dx * sin + dy * cos, 3)]
    return found


def mask_of_png(content: bytes, largest: tuple[int, int]) -> Mask:
    """Return the pixels of a PNG that are not 0, or not transparent if it has transparency.

    Args:
        content: the file.
        largest: the width and height that the PNG may have. Larger ones are not decoded.

    Raises:
        ValueError: the content is not a PNG of this size at most.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width > largest[0] or image.height > largest[1]:
                raise ValueError(f"{image.width}x{image.height}, larger than its image")
            pixels = np.asarray(image.convert("RGBA" if image.mode in ("RGBA", "LA") else "L"))
    except PILLOW_ERRORS as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return (pixels[..., 3] if pixels.ndim == 3 else pixels) > 0


def unpacked(content: bytes, largest: int) -> bytes:
    """Return zlib's content.

    Raises:
        ValueError: the content is damaged, or larger than `largest` bytes.
    """
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(content, largest)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacker.eof:
        raise ValueError(f"damaged content, or more than {largest:,} bytes")
    return found


def placed(mask: Mask, x: int, y: int, size: tuple[int, int]) -> Mask:
    """Return a mask of an image's size that has a smaller mask at x, y; the rest is cut off."""
    width, height = size
    whole = np.zeros((height, width), bool)
    left, top = min(max(x, 0), width), min(max(y, 0), height)
    part = mask[max(-y, 0) :, max(-x, 0) :][: height - top, : width - left]
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return whole


def filled(polygon: Sequence[float], size: tuple[int, int]) -> Mask:
    """Return the mask of a polygon, clipped to an image of this width and height."""
    width, height = size
    clipped = [min(max(value, 0), size[number % 2]) for number, value in enumerate(polygon)]
    return masks.decode([masks.from_polygons([clipped], height, width)], height, width)[0]


def shape_fields(parts: Sequence[Polygon | Mask]) -> Record:
    """Return the `segmentation` and `bbox` of an object: polygons, or run lengths if it has a mask.

    Args:
        parts: the polygons and masks of the object, masks of the image's size.
    """
    drawn = [part for part in parts if isinstance(part, np.ndarray)]
    polygons = [part for part in parts if not isinstance(part, np.ndarray)]
    if not drawn:
        return {"segmentation": polygons, "bbox": box_around(polygons)}
    height, width = drawn[0].shape
    whole = np.any([*drawn, *(filled(polygon, (width, height)) for polygon in polygons)], axis=0)
    (counts,) = masks.encode(whole[None])
    x1, y1, x2, y2 = masks.boxes_xyxy([counts], height, width)[0].tolist()
    run_lengths = {"size": [height, width], "counts": counts.decode()}
    return {"segmentation": run_lengths, "bbox": [x1, y1, x2 - x1, y2 - y1]}


def _is_point(value: Any) -> bool:
    """Return whether a value is a list of two finite numbers."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))
