"""The headers of image files: the displayed size, the depth, and how the image is turned."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from pseudolabel.core.errors import PseudolabelError

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "AVIF", "JPEG2000")
"""The formats that are opened, by content. EPS, for example, never reaches Ghostscript."""
PILLOW_ERRORS = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)
"""Errors of Pillow for damaged files, files that are no images, and images that are too large."""

_ORIENTATION = 0x0112
"""The EXIF tag of the orientation, 1 to 8; values from 5 up swap width and height."""
_BITS_PER_SAMPLE = 258
"""The TIFF tag of the bits of each channel."""
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_BIT_DEPTH = 24
"""The byte of a PNG that holds the bits of its channels."""


class UnreadableImageError(PseudolabelError):
    """A file cannot be used as an image; the message says what it is instead."""


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image file.

    Attributes:
        format: Pillow's name of the format.
        width: the displayed width in pixels.
        height: the displayed height in pixels.
        orientation: how decoded pixels have to be turned, as EXIF counts it; 1 if not at all.
        is_deep: whether a channel has more than 8 bits.
    """

    format: str
    width: int
    height: int
    orientation: int
    is_deep: bool


def read_header(content: bytes) -> ImageHeader:
    """Return the header of an image file, given its content.

    Raises:
        UnreadableImageError: the file is damaged, too large or of no known format.
    """
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            kind, (width, height) = str(image.format), image.size
            orientation = _orientation(image, content)
            is_deep = _is_deep(image, content)
    except UnidentifiedImageError as error:
        if content.startswith(_TIFF_SIGNATURES):
            return _other_tiff(content)
        raise UnreadableImageError("a file of no known image format") from error
    except PILLOW_ERRORS as error:
        raise UnreadableImageError(str(error) or type(error).__name__) from error
    if orientation >= 5:
        width, height = height, width
    return ImageHeader(kind, width, height, orientation, is_deep)


def _orientation(image: Image.Image, content: bytes) -> int:
    """Return how the pixels of an opened image have to be turned after decoding."""
    # Pillow and OpenCV turn a TIFF themselves; Pillow's size is then the displayed one.
    if image.format == "TIFF":
        return 1
    exif = Image.Exif()
    # The tag may stand behind the pixels of a PNG, where Pillow finds it only by decoding them.
    stored = _png_exif(content) if image.format == "PNG" else image.info.get("exif", b"")
    try:
        exif.load(stored)
        value = exif.get(_ORIENTATION, 1)
    except PILLOW_ERRORS:
        return 1
    return value if value in range(1, 9) else 1


def _png_exif(content: bytes) -> bytes:
    """Return the EXIF data of a PNG; empty if it has none."""
    position = 8
    while position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        if kind == b"eXIf":
            return content[position + 8 : position + 8 + length]
        position += length + 12
    return b""


def _is_deep(image: Image.Image, content: bytes) -> bool:
    """Return whether an opened image has more than 8 bits per channel."""
    if image.format == "PNG":
        return content[_PNG_BIT_DEPTH] > 8
    if image.format == "TIFF":
        return max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))) > 8
    return image.mode.startswith(("I", "F"))


def _other_tiff(content: bytes) -> ImageHeader:
    """Return the header of a TIFF that only OpenCV knows; its pixels are decoded for that."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UnreadableImageError("a damaged TIFF, or one of a kind that cannot be read")
    height, width = pixels.shape[:2]
    return ImageHeader("TIFF", width, height, 1, is_deep=pixels.dtype != np.uint8)
