"""Probably wrong classes of regions, in semantic segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pseudolabel.audit.suspects import WRONG_CLASS, Suspect, sort_suspects
from pseudolabel.core.records import Dataset
from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.shards import shard_paths
from pseudolabel.formats.split_folder import SplitFolder


def pixel_suspects(gold: Dataset, predictions: Path) -> list[Suspect]:
    """Return the classes of images for whose pixels the model mostly predicts another class.

    The quality of a class in an image is its mean probability over the pixels that gold gives this
    class. Only the probability of the predicted class is stored. If this is another class, the rest
    of the probability is divided evenly among all other classes. For the same reason, cleanlab is
    not used: it needs the probabilities of all classes at each pixel.

    Args:
        gold: one annotation per class in an image.
        predictions: the folder of the cross-fit, with gold's label maps in its folder `gold`.
    """
    classes = len(gold.categories)
    labelled = SplitFolder(predictions / "gold")
    maps, suspects = MapShards(shard_paths(predictions)), []
    for image_id, file in zip(gold.images.ids.tolist(), gold.images.file_names, strict=True):
        predicted, labels = maps.prediction(image_id), labelled.label_map(image_id)
        guesses, confidences = predicted.labels[0], predicted.confidences[0] / 255
        for index, category in enumerate(gold.categories):
            region = labels == index
            if not region.any():
                continue
            votes = np.bincount(guesses[region], minlength=classes)
            if votes.argmax() == index:
                continue
            right, confidence = guesses[region] == index, confidences[region]
            probability = np.where(right, confidence, (1 - confidence) / max(1, classes - 1))
            suspects.append(
                Suspect(
                    round(float(probability.mean()), 4),
                    file,
                    WRONG_CLASS,
                    None,
                    category.name,
                    gold.categories[int(votes.argmax())].name,
                )
            )
    return sort_suspects(suspects)
