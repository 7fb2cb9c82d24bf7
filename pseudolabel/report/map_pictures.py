"""Label maps as pictures that lie over an image: classes in colour, ignored pixels hatched."""

from __future__ import annotations

import io
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudolabel.formats.label_maps import UNLABELLED, LabelMap
from pseudolabel.pages.palette import class_rgb
from pseudolabel.report.image_copies import CopySize

_HATCH_PERIOD, _HATCH_WIDTH = 8, 2
"""Pixels between the stripes of ignored pixels, and of a stripe."""


def map_picture(
    labels: LabelMap, size: CopySize, ignored: NDArray[np.bool_] | None = None
) -> bytes:
    """Return an (h, w) label map as PNG: pixels without a label are transparent.

    Args:
        labels: (h, w) map.
        size: of the copy of the image that the picture lies over.
        ignored: (h, w) pixels that are hatched in the colour of their class; None for none.
    """
    height, width = labels.shape
    factor = min(1.0, size.side / max(height, width))
    shape = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(labels, shape, interpolation=cv2.INTER_NEAREST)
    if ignored is not None:
        hatched = cv2.resize(ignored.astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST) > 0
        rows, columns = np.indices(small.shape)
        gap = (rows + columns) % _HATCH_PERIOD >= _HATCH_WIDTH
        small = np.where(hatched & gap, UNLABELLED, small).astype(np.uint8)
    picture = Image.fromarray(small)
    picture.putpalette(_palette())
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=UNLABELLED)
    return stream.getvalue()


@cache
def _palette() -> bytes:
    """Return the colours of all 256 values as bytes."""
    return bytes(value for index in range(256) for value in class_rgb(index))
