"""Outlines of masks, as polygons that a browser draws."""

from __future__ import annotations

import cv2
import numpy as np

from pseudolabel.core import masks

_TOLERANCE = 0.002
"""The largest distance of an outline from its mask, as a share of the image's longer side."""
_MOST_PARTS = 8
"""Parts of a mask that are drawn, the largest ones."""


def outline(mask: bytes, height: int, width: int) -> list[list[int]]:
    """Return the outer outlines of a mask's parts, each as x, y, x, y, ..., the largest first.

    Args:
        mask: the mask as compressed run lengths.
        height: height of its image.
        width: width of its image.
    """
    pixels = masks.decode([mask], height, width)[0].astype(np.uint8)
    found, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted(found, key=cv2.contourArea, reverse=True)[:_MOST_PARTS]
    tolerance = _TOLERANCE * max(height, width)
    return [cv2.approxPolyDP(part, tolerance, closed=True).ravel().tolist() for part in largest]
