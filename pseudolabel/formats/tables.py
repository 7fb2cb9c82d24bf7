"""Predictions and silver as sharded Parquet: written shard by shard, read shard by shard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import written_aside
from pseudolabel.records import Annotations

SCHEMA = pa.schema(
    [
        ("image_id", pa.int64()),
        ("category_id", pa.int32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("score", pa.float32()),
        ("round", pa.int16()),
    ]
)
SHARD = re.compile(r"shard-(\d{6})\.parquet")
UNREADABLE = b"unreadable"
TEACHER = "teacher.json"
"""Beside the shards: the round, the hash of the weights that labelled, what could not be read."""
DECISIONS = "images.parquet"
"""Beside silver shards: what became of every image of the pool."""


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of one shard."""
    return folder / f"shard-{number:06d}.parquet"


def shard_paths(folder: Path) -> list[Path]:
    """Return the shards of a folder, in order."""
    return sorted(path for path in folder.iterdir() if SHARD.fullmatch(path.name))


def write_shard(path: Path, annotations: Annotations, unreadable: Sequence[str] = ()) -> None:
    """Write predicted annotations as one shard, aside and then renamed.

    Args:
        path: the shard.
        annotations: rows without ids; their areas are those of their boxes.
        unreadable: the files of the shard's images that could not be decoded.
    """
    boxes = annotations.boxes_xyxy
    columns = [
        annotations.image_ids,
        annotations.category_ids,
        *(np.ascontiguousarray(boxes[:, side]) for side in range(4)),
        annotations.scores,
        annotations.rounds,
    ]
    schema = SCHEMA.with_metadata({UNREADABLE: orjson.dumps(list(unreadable))})
    table = pa.table([pa.array(column) for column in columns], schema=schema)
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd", compression_level=1)


def read_shard(path: Path) -> Annotations:
    """Return the annotations of one shard.

    Raises:
        DataError: the file is no shard of this project.
    """
    try:
        table = pq.read_table(path, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError([Fault(str(path), "", "a shard of predictions", reason)]) from error
    columns = {name: table.column(name).to_numpy() for name in SCHEMA.names}
    count = table.num_rows
    boxes = np.empty((count, 4), np.float32)
    for side, name in enumerate(("x1", "y1", "x2", "y2")):
        boxes[:, side] = columns[name]
    found = Annotations.predicted(
        columns["image_id"], columns["category_id"], boxes, columns["score"], 0
    )
    found.rounds[:] = columns["round"]
    return found


def read_unreadable(path: Path) -> list[str]:
    """Return the files that could not be decoded when a shard was labelled."""
    metadata = pq.read_schema(path).metadata or {}
    return list(orjson.loads(metadata.get(UNREADABLE, b"[]")))


def read_shards(folder: Path) -> Annotations:
    """Return the annotations of all shards of a folder, in order."""
    return Annotations.concatenate([read_shard(path) for path in shard_paths(folder)])


def write_decisions(
    path: Path, image_ids: NDArray[np.int64], boxes: NDArray[np.int64], reasons: Sequence[str]
) -> None:
    """Write what became of every image: its id, how many boxes it kept, and why it was dropped.

    Args:
        path: the file.
        image_ids: (n,) ids.
        boxes: (n,) boxes left when the image was judged.
        reasons: (n,) reason, empty for an image that was kept.
    """
    reason = pa.array(reasons, pa.string()).dictionary_encode()
    columns = {"image_id": pa.array(image_ids), "boxes": pa.array(boxes), "reason": reason}
    with written_aside(path) as aside:
        pq.write_table(pa.table(columns), aside, compression="zstd", compression_level=1)


def kept_images(path: Path) -> NDArray[np.int64]:
    """Return the (k,) ids of the images that a decisions file keeps."""
    table = pq.read_table(path, columns=["image_id", "reason"])
    kept = pa.compute.equal(table.column("reason").cast(pa.string()), "")
    return table.column("image_id").filter(kept).to_numpy()
