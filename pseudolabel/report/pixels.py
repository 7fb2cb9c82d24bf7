"""Label maps of the pool by image: classes in colour, pixels that the filter ignores hatched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.records import Annotations
from pseudolabel.formats.label_maps import UNLABELLED, LabelMap, label_map_rows
from pseudolabel.formats.map_shards import MapShards, MapShardWriter, silver_maps_path
from pseudolabel.formats.prediction_store import read_predictions
from pseudolabel.formats.shards import Shard, shard_paths
from pseudolabel.report.entries import HIDDEN, KEPT, Entry, RoundSilver, bits, score_bins
from pseudolabel.report.image_copies import THUMBNAIL
from pseudolabel.report.map_pictures import map_picture

_MAPS = "maps"
"""The folder of the pictures of label maps: shards in an index, PNG files in the report."""
_PICTURES = "pictures"
"""The column of pictures in a shard."""


def picture_path(image_id: int) -> str:
    """Return the path of the picture of an image's label map in the report on a round."""
    return f"{_MAPS}/{image_id:09d}.png"


def index_pixels(silver: RoundSilver, shard: Shard) -> Iterator[Entry]:
    """Yield the entries of a shard's images, and write a shard of pictures of the label maps."""
    now, before = (
        MapShards([silver_maps_path(folder / shard.path.name)] if folder else [])
        for folder in (silver.silver, silver.before)
    )
    pictures = silver.output / _MAPS / shard.path.name
    writer = MapShardWriter(pictures.with_suffix(".unfinished"), [_PICTURES])
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
        kept = _silver_map(now, image_id, predicted)
        ignored = kept == UNLABELLED
        writer.add(image_id, map_picture(predicted, THUMBNAIL, ignored))
        rows = label_map_rows(image_id, predicted, confidences, category_ids, 0)
        left = np.unique(kept[~ignored]).tolist()
        changed = (0, 0)
        if silver.before is not None:
            changed = _changed_pixels(kept, _silver_map(before, image_id, predicted))
        scores = rows.scores[np.isin(rows.category_ids, left)]
        yield Entry(
            image_id,
            len(left),
            left,
            score_bins(scores),
            bits([confident]) if ignored.any() else 0,
            round(float(ignored.mean()), 3),
            changed,
            _encode_classes(rows, left, predicted.size),
            [],
        )
    writer.close(pictures)


def write_pictures(index: Path, report: Path) -> None:
    """Write the pictures of label maps in the index of a round as PNG files.

    Args:
        index: the index, which may have none.
        report: the folder of the round in the report.
    """
    for path in shard_paths(index / _MAPS) if (index / _MAPS).is_dir() else []:
        maps = MapShards([path])
        for image_id in maps.image_ids.tolist():
            picture = report / picture_path(image_id)
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(*maps.pngs(image_id, _PICTURES))


def _encode_classes(rows: Annotations, left: list[int], pixels: int) -> list[Any]:
    """Return the classes in a predicted map as the page lists them.

    Args:
        rows: one row per class.
        left: the classes of which silver has a pixel.
        pixels: of the image.
    """
    return [
        [
            int(category),
            round(float(score), 3),
            KEPT if category in left else HIDDEN,
            round(float(area) / pixels, 4),
        ]
        for category, score, area in zip(rows.category_ids, rows.scores, rows.areas, strict=True)
    ]


def _silver_map(silver: MapShards, image_id: int, like: LabelMap) -> LabelMap:
    """Return the silver of an image as a map; without labels if the filter dropped the image."""
    return silver.labels(image_id) if image_id in silver else np.full_like(like, UNLABELLED)


def _changed_pixels(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many pixels have another label in two rounds, and how many have a label."""
    compared = (now != UNLABELLED) | (before != UNLABELLED)
    return int(((now != before) & compared).sum()), int(compared.sum())
