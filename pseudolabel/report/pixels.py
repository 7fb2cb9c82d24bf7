"""Label maps of the pool by image: classes in colour, pixels that the filter ignores hatched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.formats.label_maps import UNLABELLED, LabelMap, label_map_rows, map_path, read_map
from pseudolabel.formats.prediction_store import read_predictions
from pseudolabel.formats.shards import Shard
from pseudolabel.report.entries import HIDDEN, KEPT, Entry, RoundSilver, bits, score_bins
from pseudolabel.report.image_copies import THUMBNAIL
from pseudolabel.report.map_pictures import map_picture

_MAPS = "maps"
"""The folder of the pictures of label maps."""


def picture_path(image_id: int) -> str:
    """Return the path of the picture of an image's label map in the index of a round."""
    return f"{_MAPS}/{image_id:09d}.png"


def index_pixels(silver: RoundSilver, shard: Shard) -> Iterator[Entry]:
    """Yield the entries of a shard's images, and write a picture of each label map."""
    (silver.output / _MAPS).mkdir(exist_ok=True)
    category_ids = np.arange(len(silver.categories), dtype=np.int32)
    confident = silver.reasons.index("score")
    for batch in read_predictions(
        "pixels", Shard(silver.predictions / shard.path.name, shard.images)
    ):
        maps = cast(LabelMaps, batch)
        image_id, predicted, confidences = (
            int(maps.image_ids[0]),
            maps.labels[0],
            maps.confidences[0],
        )
        kept = _silver_map(silver.silver, image_id, predicted)
        ignored = kept == UNLABELLED
        (silver.output / picture_path(image_id)).write_bytes(
            map_picture(predicted, THUMBNAIL, ignored)
        )
        rows = label_map_rows(image_id, predicted, confidences, category_ids, 0)
        left = np.unique(kept[~ignored]).tolist()
        changed = (0, 0)
        if silver.before is not None:
            before = _silver_map(silver.before, image_id, predicted)
            changed = _changed_pixels(kept, before)
        labels = [
            [
                int(category),
                round(float(score), 3),
                KEPT if category in left else HIDDEN,
                round(float(area) / predicted.size, 4),
            ]
            for category, score, area in zip(
                rows.category_ids, rows.scores, rows.areas, strict=True
            )
        ]
        scores = rows.scores[np.isin(rows.category_ids, left)]
        yield Entry(
            image_id,
            len(left),
            left,
            score_bins(scores),
            bits([confident]) if ignored.any() else 0,
            round(float(ignored.mean()), 3),
            changed,
            labels,
            [],
        )


def _silver_map(silver: Path, image_id: int, like: LabelMap) -> LabelMap:
    """Return the silver of an image as a map; without labels if the filter dropped the image."""
    path = map_path(silver, image_id)
    return read_map(path) if path.is_file() else np.full_like(like, UNLABELLED)


def _changed_pixels(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many pixels have another label in two rounds, and how many have a label."""
    compared = (now != UNLABELLED) | (before != UNLABELLED)
    return int(((now != before) & compared).sum()), int(compared.sum())
