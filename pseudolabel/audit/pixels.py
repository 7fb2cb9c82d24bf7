"""Doubtful regions of label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pseudolabel.audit.suspects import WRONG_CLASS, Suspect, first_suspects_first
from pseudolabel.formats.label_maps import map_path, read_map
from pseudolabel.formats.prediction_maps import confidence_path, label_path
from pseudolabel.records import Dataset


def pixel_suspects(gold: Dataset, predictions: Path) -> list[Suspect]:
    """Return the classes of images most of whose pixels the model calls something else.

    The quality of a class in an image is the mean probability of that class over its pixels; where
    the model says another class, what is left of its probability is shared by all others. cleanlab
    would want the probabilities of all classes at every pixel, which are not kept.

    Args:
        gold: a row for each class that an image shows.
        predictions: the folder of the cross-fit, with gold's label maps in its folder `gold`.
    """
    classes = len(gold.categories)
    suspects = []
    for image_id, file in zip(gold.images.ids.tolist(), gold.images.file_names, strict=True):
        labels = read_map(map_path(predictions / "gold", image_id))
        said = read_map(label_path(predictions, image_id))
        sure = read_map(confidence_path(predictions, image_id)) / 255
        for position, category in enumerate(gold.categories):
            region = labels == position
            if not region.any():
                continue
            votes = np.bincount(said[region], minlength=classes)
            if votes.argmax() == position:
                continue
            right = said[region] == position
            chance = np.where(right, sure[region], (1 - sure[region]) / max(1, classes - 1))
            suspects.append(
                Suspect(
                    round(float(chance.mean()), 4),
                    file,
                    WRONG_CLASS,
                    None,
                    category.name,
                    gold.categories[int(votes.argmax())].name,
                )
            )
    return first_suspects_first(suspects)
