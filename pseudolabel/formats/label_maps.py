"""Label maps as PNG: one class per pixel, 255 for pixels without a label.

In the pipeline a pixel holds the index of its class. A predicted map has a second PNG with the
probability of each pixel's class, in steps of 1/255. Predictions and silver are PNGs in shards, see
map_shards.py.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import written_aside
from pseudolabel.core.records import Annotations

LABEL_MAPS = "masks"
"""The folder of label maps in a raw root and in the folder of a split; in silver it has shards."""
UNLABELLED = 255

LabelMap = NDArray[np.uint8]


def map_path(folder: Path, image_id: int) -> Path:
    """Return the path of an image's label map in the folder of a split."""
    return folder / LABEL_MAPS / f"{image_id:09d}.png"


def encode_map(labels: LabelMap) -> bytes:
    """Return an (h, w) map as PNG."""
    return cv2.imencode(".png", labels)[1].tobytes()


def decode_map(content: bytes, source: str) -> LabelMap:
    """Return an (h, w) map that `encode_map` encoded.

    Args:
        content: the PNG.
        source: the name of the map in a message.

    Raises:
        DataError: the content is no PNG.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError([Fault(source, "", "a label map, PNG", "another content")])
    return pixels.astype(np.uint8, copy=False)


def write_map(path: Path, labels: LabelMap) -> None:
    """Write an (h, w) map as PNG, atomically."""
    with written_aside(path) as aside:
        aside.write_bytes(encode_map(labels))


def read_map(path: Path) -> LabelMap:
    """Return an (h, w) map that this project wrote.

    Raises:
        DataError: the file is missing or is no PNG.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DataError([Fault(str(path), "", "a label map, PNG", "no readable file")])
    return pixels.astype(np.uint8, copy=False)


def label_map_rows(
    image_id: int,
    labels: LabelMap,
    confidences: LabelMap,
    category_ids: NDArray[np.int32],
    round_number: int,
) -> Annotations:
    """Return one row per class in an image's map, with its area and its mean confidence.

    Args:
        image_id: the image's id.
        labels: (h, w) map.
        confidences: (h, w) probability of each label, in steps of 1/255.
        category_ids: (c,) id of each class.
        round_number: the round that predicted the labels; GOLD_ROUND for gold.
    """
    pixels = np.bincount(labels.ravel(), minlength=256)[: len(category_ids)]
    sums = np.bincount(labels.ravel(), confidences.ravel() / 255, minlength=256)
    classes = np.flatnonzero(pixels)
    return Annotations.of_classes(
        np.full(len(classes), image_id, np.int64),
        category_ids[classes],
        pixels[classes].astype(np.float32),
        (sums[classes] / pixels[classes]).astype(np.float32),
        round_number,
    )
