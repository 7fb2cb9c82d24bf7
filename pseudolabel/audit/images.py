"""Doubtful classes of whole images, by cleanlab."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pseudolabel.audit.suspects import WRONG_CLASS, Suspect, first_suspects_first
from pseudolabel.formats.tables import read_probabilities, shard_paths
from pseudolabel.records import Dataset, category_ids_of


def image_suspects(gold: Dataset, predictions: Path) -> list[Suspect]:
    """Return the images whose most probable class is not their label's, least self-confident first.

    The quality is the probability of the label's class (cleanlab's self-confidence, Northcutt et
    al. 2021).

    Args:
        gold: one label an image.
        predictions: the folder with the shards of the cross-fit.
    """
    # It takes a second to import, and all stages import the tasks: only the audit needs it.
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    shards = [read_probabilities(path) for path in shard_paths(predictions)]
    ids = np.concatenate([shard.image_ids for shard in shards])
    values = np.concatenate([shard.values for shard in shards])[np.argsort(ids)]
    rows = gold.annotations[np.argsort(gold.annotations.image_ids)]
    labels = np.searchsorted(category_ids_of(gold.categories), rows.category_ids)
    qualities = get_label_quality_scores(labels, values, method="self_confidence")
    said = values.argmax(axis=1)
    files = dict(zip(gold.images.ids.tolist(), gold.images.file_names, strict=True))
    return first_suspects_first(
        [
            Suspect(
                round(float(qualities[at]), 4),
                files[int(rows.image_ids[at])],
                WRONG_CLASS,
                int(rows.ids[at]),
                gold.categories[labels[at]].name,
                gold.categories[said[at]].name,
            )
            for at in np.flatnonzero(said != labels)
        ]
    )
