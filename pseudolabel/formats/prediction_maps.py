"""A segmentation model's predictions: a label PNG and a confidence PNG an image, and an index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.formats.label_maps import rows_of_map, write_map
from pseudolabel.records import Annotations, LabelMaps

LABELS, CONFIDENCES = "labels", "confidences"


def label_path(folder: Path, image_id: int) -> Path:
    """Return where an image's predicted classes lie, by their position among the categories."""
    return folder / LABELS / f"{image_id:09d}.png"


def confidence_path(folder: Path, image_id: int) -> Path:
    """Return where the probabilities of an image's predicted classes lie, in 255ths."""
    return folder / CONFIDENCES / f"{image_id:09d}.png"


def write_prediction_maps(
    folder: Path, found: LabelMaps, category_ids: NDArray[np.int32], round_number: int
) -> Annotations:
    """Write the maps of some images, and return their index.

    Args:
        folder: the folder of predictions.
        found: the maps.
        category_ids: (c,) id of each class.
        round_number: the round that predicted.

    Returns:
        a row for each class that a map holds: its pixels and their mean confidence.
    """
    parts = [Annotations.empty()]
    for image_id, labels, confidences in zip(
        found.image_ids.tolist(), found.labels, found.confidences, strict=True
    ):
        write_map(label_path(folder, image_id), labels)
        write_map(confidence_path(folder, image_id), confidences)
        parts.append(rows_of_map(image_id, labels, confidences, category_ids, round_number))
    return Annotations.concatenate(parts)
