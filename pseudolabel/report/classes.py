"""Classes of the pool's images: the most probable ones of each image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.formats.shards import Shard, read_probabilities, read_shard
from pseudolabel.report.entries import Entry, RoundSilver, score_bins
from pseudolabel.silver.calibration import scale_probabilities

_SHOWN = 3
"""Classes of an image on the page, the most probable ones."""


def index_classes(silver: RoundSilver, shard: Shard) -> Iterator[Entry]:
    """Yield the entries of a shard's images."""
    found = read_probabilities(silver.predictions / shard.path.name)
    values = scale_probabilities(found.values, silver.temperature)
    labels = _labels(silver, shard)
    before = _labels(silver, shard, before=True) if silver.before else {}
    for row, image_id in enumerate(found.image_ids.tolist()):
        best = top_classes(values[row])
        own, other = labels.get(image_id), before.get(image_id)
        differs = silver.before is not None and own != other
        high = np.sort(values[row])[::-1]
        gap = float(high[0] - high[1]) if len(high) > 1 else float(high[0])
        yield Entry(
            image_id,
            int(own is not None),
            [own] if own is not None else [],
            score_bins(values[row].max(keepdims=True)) if own is not None else 0,
            0,
            round(1 - gap, 3),
            (int(differs), int(own is not None or other is not None)),
            best,
            [[other, None]] if differs and other is not None else [],
        )


def top_classes(values: NDArray[np.float32]) -> list[Any]:
    """Return the most probable classes of an image, each with its probability."""
    order = np.argsort(-values, kind="stable")[:_SHOWN]
    return [[int(index), round(float(values[index]), 3)] for index in order]


def _labels(silver: RoundSilver, shard: Shard, *, before: bool = False) -> dict[int, int]:
    """Return the class index of each image with a silver label, in this round or before it."""
    folder = silver.before if before and silver.before else silver.silver
    rows = read_shard(folder / shard.path.name)
    classes = rows.class_indices(silver.categories).tolist()
    return dict(zip(rows.image_ids.tolist(), classes, strict=True))
