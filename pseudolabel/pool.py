"""The pool, judged shard by shard and then as a whole: memory stays flat in its size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.errors import ParamsError
from pseudolabel.files import remove
from pseudolabel.filters.choice import Labels, top_share, within_quotas
from pseudolabel.filters.counts import Counts, Rule
from pseudolabel.formats import tables
from pseudolabel.formats.label_maps import map_path
from pseudolabel.params.filtering import Filter
from pseudolabel.records import Category, category_ids_of, positions

AT_ONCE = 2
"""Shards filtered at the same time: numpy works outside Python's lock."""


@dataclass(frozen=True)
class Pool:
    """What became of the whole pool.

    Attributes:
        shards: the files of silver, in order.
        starts: (s + 1,) row of the first image of each shard, and the number of images.
        left: (n,) boxes, pixels or labels that each image had when it was judged.
        image_reasons: (n,) index into the image reasons, -1 for an image that is kept.
        reliabilities: (n,) of each image.
        labels: how many labels of each class each image has.
        ids: (n,) ids of the images.
        category_ids: (c,) ids of the classes.
        counts: what went in and what became of it.
    """

    shards: list[Path]
    starts: NDArray[np.int64]
    left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    reliabilities: NDArray[np.float32]
    labels: Labels
    ids: NDArray[np.int64]
    category_ids: NDArray[np.int32]
    counts: Counts


def judge_shards(
    shards: list[tables.Shard], rule: Rule, categories: tuple[Category, ...], output: Path
) -> Pool:
    """Filter all shards, each image by what the teacher said of it, and write what each keeps."""
    counts = Counts.nothing(rule.reasons, len(categories))
    starts = np.cumsum([0, *(len(shard.images) for shard in shards)])
    ids = category_ids_of(categories)
    parts: list[tuple[Any, ...]] = []
    labels = []

    def judge(number: int) -> tuple[tuple[Any, ...], Labels, Counts]:
        judged = rule.judge(shards[number], output)
        silver = judged.silver
        tables.write_shard(output / shards[number].path.name, silver)
        rows = positions(silver.image_ids, shards[number].images.ids) + starts[number]
        found = Labels.of(silver, rows, positions(silver.category_ids, ids))
        columns = judged.left, judged.image_reasons, judged.reliabilities
        return columns, found, judged.counts

    with ThreadPoolExecutor(AT_ONCE) as executor:
        progress = tqdm(total=len(shards), desc="filter", unit="shard", mininterval=2)
        for begin in range(0, len(shards), AT_ONCE):
            numbers = range(begin, min(begin + AT_ONCE, len(shards)))
            for columns, found, mine in executor.map(judge, numbers):
                counts += mine
                parts.append(columns)
                labels.append(found)
                progress.update()
        progress.close()
    left, reasons, reliabilities = (np.concatenate(it) for it in zip(*parts, strict=True))
    return Pool(
        [output / shard.path.name for shard in shards],
        starts,
        left,
        reasons,
        reliabilities,
        Labels.concatenate(labels),
        np.concatenate([shard.images.ids for shard in shards]),
        ids,
        counts,
    )


def choose_images(pool: Pool, predictions: Path, section: Filter, output: Path) -> Pool:
    """Return the pool with the images dropped that others are to be preferred to.

    Raises:
        ParamsError: stability is to decide, and was not measured.
    """
    if section.reliability == "stability":
        pool = replace(pool, reliabilities=measured_stabilities(predictions, pool.ids))
    reasons = pool.counts.reasons.images
    if section.top_share < 1:
        readable = pool.image_reasons != reasons.index("unreadable")
        chosen = top_share(pool.reliabilities, readable, section)
        pool = without(pool, ~chosen, reasons.index("top_share"), output)
    if section.max_per_class is not None:
        kept = pool.image_reasons < 0
        chosen = within_quotas(pool.labels, pool.reliabilities, kept, section.max_per_class)
        pool = without(pool, ~chosen, reasons.index("max_per_class"), output)
    return pool


def measured_stabilities(predictions: Path, image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the (n,) stability of each image, 0 for one that could not be read.

    Raises:
        ParamsError: they were not measured.
    """
    ids, values = tables.read_stabilities(predictions)
    if not len(ids):
        raise ParamsError(
            "filter.reliability: stability was not measured: set pseudo_label.stability"
        )
    found = np.zeros(len(image_ids), np.float32)
    found[positions(ids, image_ids)] = values
    return found


def without(pool: Pool, goes: NDArray[np.bool_], reason: int, output: Path) -> Pool:
    """Return the pool after some images are dropped, and rewrite the shards that had any."""
    goes = goes & (pool.image_reasons < 0)
    counts = pool.counts
    by_reason = np.zeros(len(counts.reasons.images), np.int64)
    for path, begin, end in zip(pool.shards, pool.starts[:-1], pool.starts[1:], strict=True):
        gone = pool.ids[begin:end][goes[begin:end]]
        if not len(gone):
            continue
        silver = tables.read_shard(path)
        leaving = np.isin(silver.image_ids, gone)
        by_reason[reason] = len(gone)
        classes = positions(silver.category_ids[leaving], pool.category_ids)
        counts = counts.without_images(silver[leaving], classes, by_reason)
        tables.write_shard(path, silver[~leaving])
        for image_id in gone.tolist():
            remove(map_path(output, image_id))
    image_reasons = np.where(goes, reason, pool.image_reasons)
    return replace(pool, image_reasons=image_reasons, counts=counts)
