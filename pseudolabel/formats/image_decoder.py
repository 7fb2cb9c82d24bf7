"""The one decoder of image files: checks, training, labelling, hashes and pages all use it.

Pixels are upright and have 8 bits and three channels in the order blue, green, red. OpenCV decodes
JPEG, PNG, BMP and WebP, Pillow the rest; each takes what the other one cannot read.
"""

from __future__ import annotations

import io
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudolabel.formats.image_header import (
    IMAGE_FORMATS,
    PILLOW_ERRORS,
    ImageHeader,
    UnreadableImageError,
    read_header,
)

Pixels = NDArray[np.uint8]

_BY_OPENCV = {"JPEG", "MPO", "PNG", "BMP", "WEBP"}
_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4}
_REDUCED |= {2: cv2.IMREAD_REDUCED_COLOR_2}
_DAMAGED = "a damaged file"
_VALUES_AT_ONCE = 1_000_000
"""Values that are converted at once: a limit of memory that does not change the result."""


def decode_image(content: bytes) -> Pixels:
    """Return an image file as (h, w, 3) BGR, turned as its EXIF tag says, given its content.

    An image of more than 8 bits is stretched: its darkest value becomes 0, its brightest 255, over
    all channels together. Alpha is dropped. Of several pages or frames, the first one is taken.

    Raises:
        UnreadableImageError: the file is no image, is damaged, or is of a kind that no library
            reads.
    """
    header = read_header(content)
    pixels = _upright(_decode(content, header, _COLOUR), header.orientation)
    height, width = pixels.shape[:2]
    if (width, height) != (header.width, header.height):
        raise UnreadableImageError(
            f"{width}x{height} pixels under a header of {header.width}x{header.height}"
        )
    return pixels


def decode_small(content: bytes, side: int) -> Pixels:
    """Return an image as `decode_image` does; a JPEG at an eighth, a quarter or half of its size.

    Args:
        content: the content of the file.
        side: the shorter side keeps at least this many pixels, if it has them.

    Raises:
        UnreadableImageError: as for `decode_image`.
    """
    header = read_header(content)
    if header.format in {"JPEG", "MPO"}:
        for divisor, reduced in _REDUCED.items():
            if min(header.width, header.height) >= divisor * side:
                flags = reduced | cv2.IMREAD_IGNORE_ORIENTATION
                return _upright(_decode(content, header, flags), header.orientation)
    return decode_image(content)


def _decode(content: bytes, header: ImageHeader, flags: int) -> Pixels:
    """Return the pixels of an image, not yet turned.

    Args:
        content: the content of the file.
        header: its header.
        flags: how OpenCV decodes an image of 8 bits.
    """
    if header.is_deep:
        values = _by_opencv(content, cv2.IMREAD_UNCHANGED)
        return _stretch(_by_pillow(content) if values is None else values)
    if header.format in _BY_OPENCV:
        pixels = _by_opencv(content, flags)
        return _in_colour(_by_pillow(content)) if pixels is None else pixels
    try:
        return _in_colour(_by_pillow(content))
    except UnreadableImageError:
        # OpenCV stops at a damaged TIFF, but not at a damaged GIF.
        pixels = _by_opencv(content, flags) if header.format == "TIFF" else None
        if pixels is None:
            raise
        return pixels


def _by_opencv(content: bytes, flags: int) -> NDArray[Any] | None:
    """Return the values that OpenCV decodes, channels as BGR; None if it cannot."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _by_pillow(content: bytes) -> NDArray[Any]:
    """Return the values that Pillow decodes: (h, w) if they are deep, otherwise (h, w, 3) BGR."""
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                return np.array(image)
            return np.array(image.convert("RGB"))[..., ::-1]
    except PILLOW_ERRORS as error:
        raise UnreadableImageError(_DAMAGED) from error


def _stretch(values: NDArray[Any]) -> Pixels:
    """Return values of any depth as 8 bits, the smallest as 0 and the largest as 255.

    Some rows after the other are converted, so that no copy of the image is held in floats.

    Args:
        values: (h, w), or (h, w, c) whose fourth channel is alpha. NaN counts as the smallest.
    """
    colours = values[..., :3] if values.ndim == 3 else values
    step = max(1, _VALUES_AT_ONCE // max(1, colours[:1].size))
    parts = [colours[row : row + step] for row in range(0, len(colours), step)]
    ranges = [_finite_range(part) for part in parts]
    low = min((least for least, _ in ranges), default=math.inf)
    high = max((most for _, most in ranges), default=-math.inf)
    low, high = (low, high) if low <= high else (0.0, 0.0)
    factor = 255 / (high - low) if high > low else 0
    stretched = np.empty(colours.shape, np.uint8)
    for number, part in enumerate(parts):
        floats = np.nan_to_num(part.astype(np.float64), nan=low, posinf=high, neginf=low)
        stretched[number * step : (number + 1) * step] = ((floats - low) * factor).round()
    return _in_colour(stretched)


def _finite_range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; infinities if there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.inf, -math.inf)


def _in_colour(pixels: NDArray[Any]) -> Pixels:
    """Return (h, w) or (h, w, c) pixels as (h, w, 3)."""
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels, np.uint8)
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2), np.uint8)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return an image turned and mirrored as an EXIF orientation from 1 to 8 asks for."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
