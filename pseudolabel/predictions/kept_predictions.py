"""Predictions kept between runs: a pool that has grown by some images costs these images.

They are kept by round, beside DVC's outputs, and taken again if the teachers, the parameters and
the code are the same. Images are found by the hash of their content.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from pseudolabel.core.files import hash_file, read_json, write_json, written_aside
from pseudolabel.core.records import Images
from pseudolabel.core.tasks import Kind
from pseudolabel.core.workdir import SCRATCH, hash_code, hash_inputs, link_tree
from pseudolabel.formats.regroup_shards import Origins, regroup_shards
from pseudolabel.formats.shards import Shard, list_shards, read_unreadable, shard_paths

_KEPT = SCRATCH / "kept_predictions"
_RECORD = "record.json"
"""In the folder of a round: what the predictions depend on, and the hash of each file."""
_IMAGES = "images.parquet"
"""In the folder of a round: the content hash, the shard and the id of each image."""


def key_of_predictions(parameters: Any, teachers: list[Path]) -> str:
    """Return one hash of what predictions depend on beside the images.

    Args:
        parameters: the values of parameters that change predictions, as JSON values.
        teachers: the files of the models.
    """
    machine = [torch.__version__, torch.cuda.is_available()]
    return hash_inputs([parameters, hash_code(), machine], teachers)


@dataclass(frozen=True)
class KeptPredictions:
    """The predictions of one round that were kept.

    Attributes:
        shards: the paths of their shards.
        table: the content hash, the shard and the id of each image.
    """

    shards: list[Path]
    table: pa.Table

    @classmethod
    def find(cls, round_number: int, key: str) -> KeptPredictions | None:
        """Return the kept predictions of a round; None if there are none with this key."""
        folder = _KEPT / str(round_number)
        if not (folder / _RECORD).is_file():
            return None
        if read_json(folder / _RECORD) != {"key": key, "files": _hash_files(folder)}:
            return None
        return cls(shard_paths(folder), pq.read_table(folder / _IMAGES))

    def is_new(self, images: Images) -> NDArray[np.bool_]:
        """Return whether each of (n,) images has no predictions here."""
        return self._rows_of(images) < 0

    def join(self, kind: Kind, images: Images, new: Path, output: Path, shard_images: int) -> None:
        """Write the shards of all images: those kept, and those of new images.

        Args:
            kind: the kind of label.
            images: all images.
            new: the folder with the shards of the new images.
            output: the folder to write.
            shard_images: number of images per shard.
        """
        rows = self._rows_of(images)
        is_new = rows < 0
        shards = list_shards(new, images[is_new], shard_images)
        paths = [*self.shards, *(shard.path for shard in shards)]
        count = len(images)
        origins = Origins(paths, np.empty(count, np.int64), np.empty(count, np.int64))
        origins.shard[~is_new] = self.table.column("shard").to_numpy()[rows[~is_new]]
        origins.image_ids[~is_new] = self.table.column("image_id").to_numpy()[rows[~is_new]]
        origins.shard[is_new] = _shard_of_each(shards, first=len(self.shards))
        origins.image_ids[is_new] = images.ids[is_new]
        regroup_shards(kind, images, origins, output, shard_images)

    def _rows_of(self, images: Images) -> NDArray[np.int64]:
        """Return the (n,) row of each image in the table; -1 if it is not there."""
        hashes = pa.array(images.hashes, pa.string())
        found = pc.index_in(hashes, self.table.column("digest").combine_chunks())
        return np.array(found.fill_null(-1), np.int64)


def keep_predictions(
    round_number: int, key: str, images: Images, predictions: Path, shard_images: int
) -> None:
    """Keep the predictions of a round for the next run, in the place of those kept before.

    Args:
        round_number: the round.
        key: what they depend on.
        images: all images, in order.
        predictions: the folder with their shards.
        shard_images: number of images per shard.
    """
    shard = _shard_of_each(list_shards(predictions, images, shard_images))
    usable = (shard >= 0) & (images.hashes != "")
    columns = {
        "digest": pa.array(images.hashes[usable], pa.string()),
        "shard": shard[usable],
        "image_id": images.ids[usable],
    }
    with written_aside(_KEPT / str(round_number)) as aside:
        aside.mkdir()
        for path in sorted(predictions.glob("*.parquet")):
            link_tree(path, aside / path.name)
        pq.write_table(pa.table(columns), aside / _IMAGES, compression="zstd")
        write_json(aside / _RECORD, {"key": key, "files": _hash_files(aside)})


def _hash_files(folder: Path) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted(folder.glob("*.parquet"))}


def _shard_of_each(shards: list[Shard], first: int = 0) -> NDArray[np.int64]:
    """Return the (n,) number of each image's shard, counted from `first`; -1 if unreadable."""
    parts: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    for number, shard in enumerate(shards, first):
        is_unreadable = np.isin(shard.images.file_names, read_unreadable(shard.path))
        parts.append(np.where(is_unreadable, -1, number))
    return np.concatenate(parts)
