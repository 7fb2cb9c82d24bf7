"""Pictures of images with their labels drawn, for people to look at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pseudolabel import masks
from pseudolabel.formats.images import with_8_bits
from pseudolabel.formats.label_maps import MASKS, UNLABELLED, map_path, read_map
from pseudolabel.records import Annotations, Category

PALETTE = sv.ColorPalette.DEFAULT
QUALITY = 80


def colour_of(position: int) -> str:
    """Return the colour of the class at a position among the categories, as `#rrggbb`."""
    return str(PALETTE.by_idx(position).as_hex())


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return an image as it is shown, (h, w, 3)."""
    with Image.open(path) as image:
        return np.array(with_8_bits(ImageOps.exif_transpose(image)).convert("RGB"))


def with_labels(
    pixels: NDArray[np.uint8], rows: Annotations, categories: Sequence[Category], folder: Path
) -> NDArray[np.uint8]:
    """Return an image with its boxes and masks drawn in the colours of their classes.

    Args:
        pixels: (h, w, 3) image.
        rows: its annotations.
        categories: the classes, in order of their ids.
        folder: the split's folder, with the label maps where there are any.
    """
    if (folder / MASKS).is_dir():
        if not len(rows):
            return pixels
        return with_label_map(pixels, read_map(map_path(folder, int(rows.image_ids[0]))))
    ids = np.array([category.id for category in categories], np.int64)
    classes = np.searchsorted(ids, rows.category_ids).astype(int)
    shapes = masks.decode(rows.masks, *pixels.shape[:2]) if len(rows) and all(rows.masks) else None
    return with_objects(pixels, classes, rows.boxes_xyxy, shapes)


def with_objects(
    pixels: NDArray[np.uint8],
    classes: NDArray[np.int64],
    boxes_xyxy: NDArray[np.float32],
    shapes: NDArray[np.bool_] | None,
) -> NDArray[np.uint8]:
    """Return an (h, w, 3) image with (n, 4) boxes drawn into it, and (n, h, w) masks if any.

    Boxes that are not finite are left out; classes are positions among the categories.
    """
    # supervision draws into OpenCV's order of channels.
    drawn = np.ascontiguousarray(pixels[..., ::-1])
    if shapes is not None and len(shapes):
        drawn = fill(drawn, shapes, classes)
    boxed = np.isfinite(boxes_xyxy).all(axis=1)
    if boxed.any():
        found = sv.Detections(xyxy=boxes_xyxy[boxed], class_id=classes[boxed])
        drawn = box_annotator(max(pixels.shape[:2])).annotate(drawn, found)
    return np.ascontiguousarray(drawn[..., ::-1])


def with_label_map(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an (h, w, 3) image with the classes of an (h, w) label map laid over it."""
    classes = np.setdiff1d(labels, [UNLABELLED]).astype(int)
    drawn = np.ascontiguousarray(pixels[..., ::-1])
    drawn = fill(drawn, labels == classes[:, None, None], classes)
    return np.ascontiguousarray(drawn[..., ::-1])


def fill(
    pixels: NDArray[np.uint8], shapes: NDArray[np.bool_], classes: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return an image with (n, h, w) masks laid over it."""
    boxes = np.zeros((len(shapes), 4), np.float32)
    found = sv.Detections(xyxy=boxes, mask=shapes, class_id=classes)
    return sv.MaskAnnotator(PALETTE, opacity=0.45).annotate(pixels, found)


def box_annotator(side: int) -> sv.BoxAnnotator:
    """Return what draws boxes, with lines that are seen in a thumbnail of an image."""
    return sv.BoxAnnotator(PALETTE, thickness=max(1, round(side / 150)))


def as_jpeg(pixels: NDArray[np.uint8], side: int) -> bytes:
    """Return an image as JPEG, its longer side at most `side` pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
