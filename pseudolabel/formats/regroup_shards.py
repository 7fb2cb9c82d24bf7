"""Shards of predictions put together from others: images in another order, with other ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Images
from pseudolabel.core.tasks import Kind
from pseudolabel.formats.map_shards import CONFIDENCES, LABELS, MapShards, MapShardWriter
from pseudolabel.formats.shards import (
    list_shards,
    read_probabilities,
    read_shard,
    read_stabilities,
    write_probabilities,
    write_shard,
    write_stabilities,
)

_IN_MEMORY = 4
"""Source shards whose rows stay in memory. The images are in nearly the same order there."""

Rows = NDArray[np.int64]
Write = Callable[[Path, Rows, Rows, Sequence[str]], None]
"""Writes a shard (path, rows of its readable images, their ids, names of unreadable files)."""


@dataclass(frozen=True)
class Origins:
    """Where the predictions for images are.

    Attributes:
        shards: the paths of the source shards.
        shard: (n,) the index of each image's source shard; -1 if the image could not be read.
        image_ids: (n,) its id there.
    """

    shards: Sequence[Path]
    shard: Rows
    image_ids: Rows


def regroup_shards(
    kind: Kind, images: Images, origins: Origins, output: Path, shard_images: int
) -> None:
    """Write the shards of images, as if they had been predicted in this order.

    Args:
        kind: the kind of label.
        images: all images, in order.
        origins: where their predictions are.
        output: the folder to write; its shards are not written again.
        shard_images: number of images per shard.
    """
    write = _WRITERS[kind](origins)
    folders = sorted({shard.parent for shard in origins.shards})
    stabilities = {folder: read_stabilities(folder) for folder in folders}
    for number, shard in enumerate(list_shards(output, images, shard_images)):
        if shard.path.exists():
            continue
        rows = np.arange(len(shard.images)) + number * shard_images
        is_found = origins.shard[rows] >= 0
        names = [str(name) for name in shard.images.file_names[~is_found]]
        rows = rows[is_found]
        values = _find_stabilities(stabilities, origins, rows)
        if len(values):
            write_stabilities(shard.path, images.ids[rows], values)
        write(shard.path, rows, images.ids[rows], names)


def _find_stabilities(
    stabilities: dict[Path, tuple[Rows, NDArray[np.float32]]], origins: Origins, rows: Rows
) -> NDArray[np.float32]:
    """Return the (k,) stability of each image; none if stabilities were not measured."""
    if not any(len(ids) for ids, _ in stabilities.values()):
        return np.empty(0, np.float32)
    found = np.empty(len(rows), np.float32)
    parents = np.array([str(shard.parent) for shard in origins.shards])[origins.shard[rows]]
    for folder, (ids, values) in stabilities.items():
        here = parents == str(folder)
        order = np.argsort(ids, kind="stable")
        places = np.searchsorted(ids[order], origins.image_ids[rows[here]])
        found[here] = values[order][places]
    return found


def _objects_writer(origins: Origins) -> Write:
    @lru_cache(maxsize=_IN_MEMORY)
    def read(source: int) -> Annotations:
        rows = read_shard(origins.shards[source])
        return rows[np.argsort(rows.image_ids, kind="stable")]

    def write(path: Path, rows: Rows, image_ids: Rows, unreadable: Sequence[str]) -> None:
        parts = [Annotations.empty()]
        places: list[Rows] = [np.empty(0, np.int64)]
        for source, here in _by_source(origins, rows):
            found = read(source)
            taken, counts = _rows_of(found.image_ids, origins.image_ids[rows[here]])
            parts.append(replace(found[taken], image_ids=np.repeat(image_ids[here], counts)))
            places.append(np.repeat(here, counts))
        order = np.argsort(np.concatenate(places), kind="stable")
        write_shard(path, Annotations.concatenate(parts)[order], unreadable)

    return write


def _classes_writer(origins: Origins) -> Write:
    @lru_cache(maxsize=_IN_MEMORY)
    def read(source: int) -> Probabilities:
        return read_probabilities(origins.shards[source])

    classes = read(0).values.shape[1]

    def write(path: Path, rows: Rows, image_ids: Rows, unreadable: Sequence[str]) -> None:
        values = np.empty((len(rows), classes), np.float32)
        for source, here in _by_source(origins, rows):
            found = read(source)
            order = np.argsort(found.image_ids, kind="stable")
            taken, _ = _rows_of(found.image_ids[order], origins.image_ids[rows[here]])
            values[here] = found.values[order][taken]
        write_probabilities(path, Probabilities(image_ids, values), unreadable)

    return write


def _pixels_writer(origins: Origins) -> Write:
    # The maps of each source, because images of two sources can have the same id.
    maps = [MapShards([shard]) for shard in origins.shards]

    def write(path: Path, rows: Rows, image_ids: Rows, unreadable: Sequence[str]) -> None:
        writer = MapShardWriter(path.with_suffix(".unfinished"), (LABELS, CONFIDENCES))
        for row, image_id in zip(rows.tolist(), image_ids.tolist(), strict=True):
            source = maps[origins.shard[row]]
            writer.add(image_id, *source.pngs(int(origins.image_ids[row]), LABELS, CONFIDENCES))
        writer.close(path, unreadable)

    return write


_WRITERS: dict[Kind, Callable[[Origins], Write]] = {
    "objects": _objects_writer,
    "pixels": _pixels_writer,
    "classes": _classes_writer,
}


def _by_source(origins: Origins, rows: Rows) -> list[tuple[int, Rows]]:
    """Return each source shard of some rows, with the places of its images among the rows."""
    sources = origins.shard[rows]
    return [(int(one), np.flatnonzero(sources == one)) for one in np.unique(sources)]


def _rows_of(sorted_ids: Rows, wanted: Rows) -> tuple[Rows, Rows]:
    """Return the rows of wanted ids in a sorted column, id by id, and how many each id has."""
    begins = np.searchsorted(sorted_ids, wanted, "left")
    counts = np.searchsorted(sorted_ids, wanted, "right") - begins
    firsts = np.cumsum(counts) - counts
    return np.repeat(begins - firsts, counts) + np.arange(counts.sum()), counts
