"""Label maps in Parquet shards: one row per image, with its maps as PNG.

A row group has a few images. So one map is read without the others of its shard, in any order.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.formats.label_maps import LABEL_MAPS, LabelMap, decode_map
from pseudolabel.formats.shards import DAMAGE, UNREADABLE, damaged_shard

LABELS, CONFIDENCES = "labels", "confidences"
"""The columns of maps: class indices, and probabilities in steps of 1/255."""
_IDS = "image_id"
_GROUP = 8
"""Images per row group."""
_MOST_OPEN = 64
"""Shards that a reader keeps open: each needs memory for the list of its row groups."""


def silver_maps_path(shard: Path) -> Path:
    """Return the path of the label maps of a shard of silver, whose rows are classes in images."""
    return shard.parent / LABEL_MAPS / shard.name


class MapShardWriter:
    """Writes shards of maps, one after the other; row groups go to disk as soon as they are full.

    Args:
        unfinished: the file of the current shard until it is closed.
        columns: the columns of maps.
    """

    def __init__(self, unfinished: Path, columns: Sequence[str] = (LABELS,)) -> None:
        self.unfinished = unfinished
        self.schema = pa.schema([(_IDS, pa.int64()), *((name, pa.binary()) for name in columns)])
        self._rows: list[tuple[int | bytes, ...]] = []
        self._file: pq.ParquetWriter | None = None

    def add(self, image_id: int, *pngs: bytes) -> None:
        """Add the maps of an image to the current shard, one per column."""
        self._rows.append((image_id, *pngs))
        if len(self._rows) == _GROUP:
            self._write_group()

    def close(self, path: Path, unreadable: Sequence[str] = ()) -> None:
        """Complete the current shard, which appears whole, and start the next one.

        Args:
            path: the shard.
            unreadable: names of the image files of the shard that cannot be decoded.
        """
        if self._rows:
            self._write_group()
        file = self._open()
        file.add_key_value_metadata({UNREADABLE: orjson.dumps(list(unreadable))})
        file.close()
        self._file = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self.unfinished.replace(path)

    def _open(self) -> pq.ParquetWriter:
        """Return the file of the current shard."""
        if self._file is None:
            self.unfinished.parent.mkdir(parents=True, exist_ok=True)
            # Not compressed: PNG is already.
            options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
            self._file = pq.ParquetWriter(self.unfinished, self.schema, **options)
        return self._file

    def _write_group(self) -> None:
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        self._open().write_table(pa.table(columns, schema=self.schema))
        self._rows.clear()


class MapShards:
    """The maps of some shards, found by the id of their image.

    Shards are opened when they are first read, and each process opens its own.

    Args:
        paths: the shards.

    Attributes:
        image_ids: (n,) ids of all images, in the order of the rows.

    Raises:
        DataError: a file is no shard of maps.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        parts = [_read_ids(path) for path in self._paths]
        self.image_ids: NDArray[np.int64] = np.concatenate([np.empty(0, np.int64), *parts])
        self._ends = np.cumsum([len(part) for part in parts])
        self._order = np.argsort(self.image_ids, kind="stable")
        self._sorted = self.image_ids[self._order]
        self._process = os.getpid()
        self._open: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        # The row group of the last read, for reads in order: its place, and its rows.
        self._group: tuple[Any, pa.Table] = None, None

    def __contains__(self, image_id: int) -> bool:
        """Return whether an image has maps."""
        return self._row_of(image_id) is not None

    def labels(self, image_id: int) -> LabelMap:
        """Return an image's (h, w) label map.

        Raises:
            DataError: there is none, or its file is damaged.
        """
        (png,) = self.pngs(image_id, LABELS)
        return decode_map(png, f"the label map of image id {image_id}")

    def prediction(self, image_id: int) -> LabelMaps:
        """Return an image's predicted labels with their confidences.

        Raises:
            DataError: there are none, or their file is damaged.
        """
        maps = [
            decode_map(png, f"the predicted maps of image id {image_id}")
            for png in self.pngs(image_id, LABELS, CONFIDENCES)
        ]
        return LabelMaps(np.array([image_id], np.int64), *([found] for found in maps))

    def pngs(self, image_id: int, *columns: str) -> list[bytes]:
        """Return an image's maps as PNG, one per column.

        Raises:
            DataError: there are none, or their file is damaged.
        """
        row = self._row_of(image_id)
        if row is None:
            raise DataError([Fault("", f"image id {image_id}", "a label map in a shard", "none")])
        shard = int(np.searchsorted(self._ends, row, side="right"))
        row -= int(self._ends[shard - 1]) if shard else 0
        try:
            file = self._file(shard)
            group, row = divmod(row, file.metadata.row_group(0).num_rows)
            if self._group[0] != (shard, group, columns):
                # Without threads: Arrow's do not survive the fork of a loader worker.
                rows = file.read_row_group(group, list(columns), use_threads=False)
                self._group = (shard, group, columns), rows
            return [self._group[1].column(name)[row].as_py() for name in columns]
        except DAMAGE as error:
            raise damaged_shard(self._paths[shard], error) from error

    def _row_of(self, image_id: int) -> int | None:
        """Return the row of an image, counted over all shards; None if it has no maps."""
        place = int(np.searchsorted(self._sorted, image_id))
        found = place < len(self._sorted) and self._sorted[place] == image_id
        return int(self._order[place]) if found else None

    def _file(self, shard: int) -> pq.ParquetFile:
        """Return an open shard of this process."""
        if self._process != os.getpid():
            self._process, self._open = os.getpid(), OrderedDict()
        if shard not in self._open:
            self._open[shard] = pq.ParquetFile(self._paths[shard])
        self._open.move_to_end(shard)
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[shard]


def drop_maps(path: Path, image_ids: Iterable[int]) -> None:
    """Write a shard of label maps anew, without some of its images."""
    dropped, maps = set(image_ids), MapShards([path])
    writer = MapShardWriter(path.with_suffix(".unfinished"))
    for image_id in maps.image_ids.tolist():
        if image_id not in dropped:
            writer.add(image_id, *maps.pngs(image_id, LABELS))
    writer.close(path)


def _read_ids(path: Path) -> NDArray[np.int64]:
    try:
        # Ten times as fast as read_table, which splits its work by row groups.
        with pq.ParquetFile(path) as file:
            return file.read([_IDS], use_threads=False).column(_IDS).to_numpy()
    except DAMAGE as error:
        raise damaged_shard(path, error) from error
