"""Probably wrong classes of images, found by cleanlab."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pseudolabel.audit.suspects import WRONG_CLASS, Suspect, sort_suspects
from pseudolabel.core.columns import positions
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Dataset
from pseudolabel.formats.shards import read_probabilities, shard_paths


def class_suspects(gold: Dataset, predictions: Path) -> list[Suspect]:
    """Return the images whose most probable class differs from their label.

    The quality of a label is the probability of its class (cleanlab's self-confidence, Northcutt et
    al. 2021).

    Args:
        gold: one annotation per image.
        predictions: the folder with the shards of the cross-fit.
    """
    # Importing it takes a second.
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    predicted = Probabilities.concatenate(
        [read_probabilities(path) for path in shard_paths(predictions)]
    )
    rows = gold.annotations
    values = predicted.values[positions(rows.image_ids, predicted.image_ids)]
    labels = gold.class_indices
    qualities = get_label_quality_scores(labels, values, method="self_confidence")
    guesses = values.argmax(axis=1)
    files = gold.images.file_names[positions(rows.image_ids, gold.images.ids)]
    return sort_suspects(
        [
            Suspect(
                round(float(qualities[row]), 4),
                files[row],
                WRONG_CLASS,
                int(rows.ids[row]),
                gold.categories[labels[row]].name,
                gold.categories[guesses[row]].name,
            )
            for row in np.flatnonzero(guesses != labels)
        ]
    )
