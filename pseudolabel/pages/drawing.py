"""Drawing labels on images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from PIL import Image

from pseudolabel.core import masks
from pseudolabel.core.records import Annotations, Category
from pseudolabel.formats.image_decoder import decode_image
from pseudolabel.formats.image_files import read_unchanged
from pseudolabel.formats.label_maps import UNLABELLED
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.palette import CLASS_COLOURS

_PALETTE = sv.ColorPalette.from_hex(list(CLASS_COLOURS))
_JPEG_QUALITY = 80


def read_rgb(path: Path, digest: str) -> NDArray[np.uint8]:
    """Return an image file as (h, w, 3) uint8 RGB, as models see it.

    Args:
        path: the file.
        digest: the hash of its content when its labels were read; empty if it is not known.

    Raises:
        ChangedImageError: the file has another content by now.
        UnreadableImageError: the file cannot be decoded.
        OSError: the file cannot be read.
    """
    return np.ascontiguousarray(decode_image(read_unchanged(path, digest))[..., ::-1])


def draw_annotations(
    pixels: NDArray[np.uint8], rows: Annotations, categories: Sequence[Category], folder: Path
) -> NDArray[np.uint8]:
    """Return an image with its boxes, masks or label map drawn in the colours of the classes.

    Args:
        pixels: (h, w, 3) image.
        rows: its annotations.
        categories: the classes.
        folder: the folder of the split, which may have label maps.
    """
    split = SplitFolder(folder)
    if split.has_label_maps:
        if not len(rows):
            return pixels
        return draw_label_map(pixels, split.label_map(int(rows.image_ids[0])))
    classes = rows.class_indices(categories)
    shapes = masks.decode(rows.masks, *pixels.shape[:2]) if len(rows) and all(rows.masks) else None
    return draw_objects(pixels, classes, rows.boxes_xyxy, shapes)


def draw_objects(
    pixels: NDArray[np.uint8],
    classes: NDArray[np.int64],
    boxes_xyxy: NDArray[np.float32],
    shapes: NDArray[np.bool_] | None,
) -> NDArray[np.uint8]:
    """Return an image with its boxes and masks drawn; boxes with NaN are left out.

    Args:
        pixels: (h, w, 3) image.
        classes: (n,) class indices.
        boxes_xyxy: (n, 4) boxes.
        shapes: (n, h, w) masks; None if there are no masks.
    """
    # supervision expects the channels in BGR order.
    drawn = np.ascontiguousarray(pixels[..., ::-1])
    if shapes is not None and len(shapes):
        drawn = _fill_masks(drawn, shapes, classes)
    boxed = np.isfinite(boxes_xyxy).all(axis=1)
    if boxed.any():
        found = sv.Detections(xyxy=boxes_xyxy[boxed], class_id=classes[boxed])
        drawn = _box_annotator(max(pixels.shape[:2])).annotate(drawn, found)
    return np.ascontiguousarray(drawn[..., ::-1])


def draw_label_map(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an (h, w, 3) image with the classes of an (h, w) label map drawn over it."""
    classes = np.setdiff1d(labels, [UNLABELLED]).astype(int)
    drawn = np.ascontiguousarray(pixels[..., ::-1])
    drawn = _fill_masks(drawn, labels == classes[:, None, None], classes)
    return np.ascontiguousarray(drawn[..., ::-1])


def _fill_masks(
    pixels: NDArray[np.uint8], shapes: NDArray[np.bool_], classes: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return an image with (n, h, w) masks drawn over it."""
    boxes = np.zeros((len(shapes), 4), np.float32)
    found = sv.Detections(xyxy=boxes, mask=shapes, class_id=classes)
    return sv.MaskAnnotator(_PALETTE, opacity=0.45).annotate(pixels, found)


def _box_annotator(side: int) -> sv.BoxAnnotator:
    """Return an annotator whose lines are visible in a thumbnail of an image."""
    return sv.BoxAnnotator(_PALETTE, thickness=max(1, round(side / 150)))


def to_jpeg(pixels: NDArray[np.uint8], side: int) -> bytes:
    """Return an image as JPEG whose longer side has at most `side` pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
