"""Label maps as PNG: one class per pixel, 255 for pixels without a label.

In the pipeline a pixel holds the index of its class. A predicted map has a second PNG with the
probability of each pixel's class, in steps of 1/255.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import written_aside
from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.records import Annotations

LABEL_MAPS = "masks"
"""The folder of label maps in a raw root and in the folder of a split."""
PREDICTED_LABELS, PREDICTED_CONFIDENCES = "labels", "confidences"
"""The folders of predicted maps, beside the prediction shards."""
UNLABELLED = 255

LabelMap = NDArray[np.uint8]


def map_path(folder: Path, image_id: int) -> Path:
    """Return the path of an image's label map in the folder of a split."""
    return folder / LABEL_MAPS / f"{image_id:09d}.png"


def write_map(path: Path, labels: LabelMap) -> None:
    """Write an (h, w) map as PNG, atomically."""
    encoded = cv2.imencode(".png", labels)[1]
    with written_aside(path) as aside:
        aside.write_bytes(encoded.tobytes())


def read_map(path: Path) -> LabelMap:
    """Return an (h, w) map that this project wrote.

    Raises:
        DataError: the file is missing or is no PNG.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DataError([Fault(str(path), "", "a label map, PNG", "no readable file")])
    return pixels.astype(np.uint8, copy=False)


def write_prediction_maps(folder: Path, maps: LabelMaps) -> None:
    """Write predicted label maps and confidence maps to a folder of predictions."""
    for image_id, labels, confidences in zip(
        maps.image_ids.tolist(), maps.labels, maps.confidences, strict=True
    ):
        write_map(_prediction_path(folder, PREDICTED_LABELS, image_id), labels)
        write_map(_prediction_path(folder, PREDICTED_CONFIDENCES, image_id), confidences)


def read_prediction_maps(folder: Path, image_ids: Iterable[int]) -> Iterator[LabelMaps]:
    """Yield the predicted maps of images, one image at a time.

    Raises:
        DataError: a map is missing or is no PNG.
    """
    for image_id in image_ids:
        yield LabelMaps(
            np.array([image_id], np.int64),
            [read_map(_prediction_path(folder, PREDICTED_LABELS, image_id))],
            [read_map(_prediction_path(folder, PREDICTED_CONFIDENCES, image_id))],
        )


def _prediction_path(folder: Path, kind: str, image_id: int) -> Path:
    return folder / kind / f"{image_id:09d}.png"


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
