"""Filter the pool shard by shard, then select images over the whole pool.

Only a few numbers per image stay in memory; labels are on disk.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.columns import positions
from pseudolabel.core.errors import ParamsError
from pseudolabel.core.records import Annotations, Category
from pseudolabel.formats.map_shards import drop_maps, silver_maps_path
from pseudolabel.formats.shards import Shard, read_shard, read_stabilities, write_shard
from pseudolabel.formats.silver_folder import OUTCOMES, write_outcomes
from pseudolabel.params.filter import Filter
from pseudolabel.silver.filter_counts import Counts
from pseudolabel.silver.image_selection import LabelCounts, most_reliable, within_quotas
from pseudolabel.silver.task_filter import OUTCOME_NAMES, FilterResult, TaskFilter

_SHARDS_AT_ONCE = 2
"""Shards that are filtered at the same time: numpy works outside Python's lock."""


@dataclass(frozen=True)
class PoolResult:
    """The outcome of filtering for the whole pool.

    Attributes:
        shards: the shards of silver, in order.
        starts: (s + 1,) row of the first image of each shard, and the number of images.
        image_ids: (n,) ids.
        labels_left: (n,) boxes, pixels or labels of each image that passed the label filters.
        image_reasons: (n,) index into the image reasons, -1 for an image that is kept.
        reliabilities: (n,) reliability of each image.
        labels: number of labels per image and class.
        categories: the classes.
        counts: numbers of labels and images kept, hidden and dropped.
    """

    shards: list[Path]
    starts: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    labels_left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    reliabilities: NDArray[np.float32]
    labels: LabelCounts
    categories: tuple[Category, ...]
    counts: Counts

    @property
    def reason_names(self) -> list[str]:
        """The (n,) reason why each image was dropped, empty for an image that is kept."""
        names = self.counts.reasons.images
        return [names[reason] if reason >= 0 else "" for reason in self.image_reasons]


def filter_pool(
    shards: list[Shard],
    task_filter: TaskFilter,
    categories: tuple[Category, ...],
    predictions: Path,
    section: Filter,
    output: Path,
) -> PoolResult:
    """Filter all shards, write the labels kept, then select images over the whole pool.

    Args:
        shards: the predictions.
        task_filter: the filter of the task.
        categories: the classes.
        predictions: the folder of predictions.
        section: the section `filter`.
        output: the silver folder.

    Raises:
        ParamsError: `filter.reliability` is stability, but stability was not measured.
    """
    pool = _filter_shards(shards, task_filter, categories, output)
    if section.reliability == "stability":
        pool = replace(pool, reliabilities=_stabilities(predictions, pool.image_ids))
    if section.top_share < 1:
        readable = pool.image_reasons != pool.counts.reasons.images.index("unreadable")
        chosen = most_reliable(pool.reliabilities, readable, section.top_share)
        pool = _drop_images(pool, ~chosen, "top_share")
    if section.max_per_class is not None:
        kept = pool.image_reasons < 0
        chosen = within_quotas(pool.labels, pool.reliabilities, kept, section.max_per_class)
        pool = _drop_images(pool, ~chosen, "max_per_class")
    return pool


def _filter_shards(
    shards: list[Shard], task_filter: TaskFilter, categories: tuple[Category, ...], output: Path
) -> PoolResult:
    """Filter each shard on its own, and write the labels kept."""
    counts = Counts.zero(task_filter.reasons, len(categories))
    starts = np.cumsum([0, *(len(shard.images) for shard in shards)])
    results: list[FilterResult] = []
    labels: list[LabelCounts] = []

    def filter_one(number: int) -> tuple[FilterResult, LabelCounts]:
        shard = shards[number]
        result = task_filter.filter_shard(shard, output)
        silver = result.silver
        write_shard(output / shard.path.name, silver)
        if result.outcomes is not None:
            names = [*OUTCOME_NAMES, *task_filter.reasons.labels]
            write_outcomes(output / OUTCOMES / shard.path.name, result.outcomes, names)
        rows = positions(silver.image_ids, shard.images.ids) + starts[number]
        found = LabelCounts.from_silver(silver, rows, silver.class_indices(categories))
        # The labels are on disk. A slice of them would keep the whole arrays in memory.
        return replace(result, silver=Annotations.empty(), outcomes=None), found

    with ThreadPoolExecutor(_SHARDS_AT_ONCE) as executor:
        progress = tqdm(total=len(shards), desc="filter", unit="shard", mininterval=2)
        for begin in range(0, len(shards), _SHARDS_AT_ONCE):
            numbers = range(begin, min(begin + _SHARDS_AT_ONCE, len(shards)))
            for result, found in executor.map(filter_one, numbers):
                counts += result.counts
                results.append(result)
                labels.append(found)
                progress.update()
        progress.close()
    return PoolResult(
        [output / shard.path.name for shard in shards],
        starts,
        np.concatenate([shard.images.ids for shard in shards]),
        np.concatenate([result.labels_left for result in results]),
        np.concatenate([result.image_reasons for result in results]),
        np.concatenate([result.reliabilities for result in results]),
        LabelCounts.concatenate(labels),
        categories,
        counts,
    )


def _stabilities(predictions: Path, image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the (n,) stability of each image, 0 for an image that could not be read."""
    ids, values = read_stabilities(predictions)
    if not len(ids):
        raise ParamsError(
            "filter.reliability: stability was not measured: set pseudo_label.stability"
        )
    found = np.zeros(len(image_ids), np.float32)
    found[positions(ids, image_ids)] = values
    return found


def _drop_images(pool: PoolResult, dropped: NDArray[np.bool_], reason: str) -> PoolResult:
    """Drop some of the kept images: rewrite their shards, and return the new outcome."""
    dropped = dropped & (pool.image_reasons < 0)
    counts = pool.counts
    for path, begin, end in zip(pool.shards, pool.starts[:-1], pool.starts[1:], strict=True):
        image_ids = pool.image_ids[begin:end][dropped[begin:end]]
        if not len(image_ids):
            continue
        silver = read_shard(path)
        leaving = np.isin(silver.image_ids, image_ids)
        classes = silver[leaving].class_indices(pool.categories)
        counts = counts.drop_images(silver[leaving], classes, reason, len(image_ids))
        write_shard(path, silver[~leaving])
        if silver_maps_path(path).is_file():
            drop_maps(silver_maps_path(path), image_ids.tolist())
    number = counts.reasons.images.index(reason)
    image_reasons = np.where(dropped, number, pool.image_reasons)
    return replace(pool, image_reasons=image_reasons, counts=counts)
