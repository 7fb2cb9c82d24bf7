"""Predictions and silver as sharded Parquet: written shard by shard, read shard by shard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import written_aside
from pseudolabel.records import Annotations, Images, Probabilities

SCHEMA = pa.schema(
    [
        ("image_id", pa.int64()),
        ("category_id", pa.int32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("area", pa.float32()),
        ("score", pa.float32()),
        ("round", pa.int16()),
        ("mask", pa.binary()),
        ("stability", pa.float32()),
        ("crowd", pa.bool_()),
    ]
)
SIDES = ("x1", "y1", "x2", "y2")
SHARD = re.compile(r"shard-(\d{6})\.parquet")
UNREADABLE = b"unreadable"
STABILITY = "stability"
TEACHER = "teacher.json"
"""Beside the shards: the round, the hash of the weights that labelled, what could not be read."""
PROBABILITIES = "probabilities"
"""Beside silver shards of classes: a folder with the probabilities of all classes, by shard."""
SOFT_LABELS = "soft_labels.npy"
"""Beside merged silver of classes: the same as an array, a row for each image of its COCO file."""
DECISIONS = "images.parquet"
"""Beside silver shards: what became of every image of the pool."""


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of one shard."""
    return folder / f"shard-{number:06d}.parquet"


def shard_paths(folder: Path) -> list[Path]:
    """Return the shards of a folder, in order."""
    return sorted(path for path in folder.iterdir() if SHARD.fullmatch(path.name))


@dataclass(frozen=True)
class Shard:
    """One shard of predictions with the images it is about."""

    path: Path
    images: Images


def shards_of(folder: Path, images: Images, size: int) -> list[Shard]:
    """Return every shard of a folder of predictions with its images, in order."""
    begins = range(0, len(images), size)
    return [
        Shard(shard_path(folder, number), images[begin : begin + size])
        for number, begin in enumerate(begins)
    ]


def write_shard(path: Path, annotations: Annotations, unreadable: Sequence[str] = ()) -> None:
    """Write predicted annotations as one shard, aside and then renamed.

    Args:
        path: the shard.
        annotations: rows without ids.
        unreadable: the files of the shard's images that could not be decoded.
    """
    boxes = annotations.boxes_xyxy
    columns = {
        "image_id": annotations.image_ids,
        "category_id": annotations.category_ids,
        "area": annotations.areas,
        "score": annotations.scores,
        "round": annotations.rounds,
        "mask": annotations.masks,
        "stability": annotations.stabilities,
        "crowd": annotations.crowds,
    }
    for side, name in enumerate(SIDES):
        columns[name] = np.ascontiguousarray(boxes[:, side])
    arrays = [pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names]
    write_table(path, pa.table(arrays, schema=SCHEMA), unreadable)


def write_table(path: Path, table: pa.Table, unreadable: Sequence[str] = ()) -> None:
    """Write a table with the files that could not be decoded, aside and then renamed."""
    table = table.replace_schema_metadata({UNREADABLE: orjson.dumps(list(unreadable))})
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd", compression_level=1)


def read_shard(path: Path) -> Annotations:
    """Return the annotations of one shard.

    Raises:
        DataError: the file is no shard of this project.
    """
    table = read_table(path, SCHEMA)
    columns = {name: table.column(name).to_numpy() for name in SCHEMA.names if name != "mask"}
    boxes = np.stack([columns[name] for name in SIDES], axis=1)
    found = Annotations.predicted(
        columns["image_id"], columns["category_id"], boxes, columns["score"], 0
    )
    masks = found.masks
    # Turning bytes into Python's objects is slow: spared where no row has a mask.
    if pc.max(pc.binary_length(table.column("mask"))).as_py():
        masks = table.column("mask").to_numpy(zero_copy_only=False)
    return replace(
        found,
        areas=columns["area"],
        rounds=columns["round"],
        masks=masks,
        stabilities=columns["stability"],
        crowds=columns["crowd"],
    )


def read_table(path: Path, schema: pa.Schema | None) -> pa.Table:
    """Return the table of a shard.

    Raises:
        DataError: the file is no shard of this project.
    """
    try:
        return pq.read_table(path, schema=schema)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError([Fault(str(path), "", "a shard of predictions", reason)]) from error


def write_probabilities(path: Path, found: Probabilities, unreadable: Sequence[str] = ()) -> None:
    """Write one shard of a classifier's probabilities, all classes a row."""
    flat = pa.array(found.values.ravel())
    values = pa.FixedSizeListArray.from_arrays(flat, max(1, found.values.shape[1]))
    table = pa.table({"image_id": pa.array(found.image_ids), "probabilities": values})
    write_table(path, table, unreadable)


def read_probabilities(path: Path) -> Probabilities:
    """Return one shard of a classifier's probabilities.

    Raises:
        DataError: the file is no shard of this project.
    """
    table = read_table(path, None)
    column = table.column("probabilities").combine_chunks()
    values = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
    return Probabilities(table.column("image_id").to_numpy(), values)


def stability_path(shard: Path) -> Path:
    """Return where the stabilities of a shard's images lie."""
    return shard.with_name(shard.name.replace("shard", STABILITY))


def write_stabilities(
    shard: Path, image_ids: NDArray[np.int64], stabilities: NDArray[np.float32]
) -> None:
    """Write how stable the predictions for a shard's images are, beside the shard."""
    columns = {"image_id": pa.array(image_ids), "stability": pa.array(stabilities)}
    write_table(stability_path(shard), pa.table(columns))


def read_stabilities(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the (k,) ids and stabilities of all images of a folder; none were not measured."""
    paths = [it for it in map(stability_path, shard_paths(folder)) if it.is_file()]
    read = [read_table(path, None) for path in paths]
    ids = [np.empty(0, np.int64), *(it.column("image_id").to_numpy() for it in read)]
    values = [np.empty(0, np.float32), *(it.column("stability").to_numpy() for it in read)]
    return np.concatenate(ids), np.concatenate(values)


def read_unreadable(path: Path) -> list[str]:
    """Return the files that could not be decoded when a shard was labelled."""
    metadata = pq.read_schema(path).metadata or {}
    return list(orjson.loads(metadata.get(UNREADABLE, b"[]")))


def read_shards(folder: Path) -> Annotations:
    """Return the annotations of all shards of a folder, in order."""
    return Annotations.concatenate([read_shard(path) for path in shard_paths(folder)])


def write_decisions(
    path: Path,
    image_ids: NDArray[np.int64],
    left: NDArray[np.int64],
    reliabilities: NDArray[np.float32],
    reasons: Sequence[str],
) -> None:
    """Write what became of every image: its id, what it had left, and why it was dropped.

    Args:
        path: the file.
        image_ids: (n,) ids.
        left: (n,) boxes, pixels or labels left when the image was judged.
        reliabilities: (n,) how sure the teacher is of it.
        reasons: (n,) reason, empty for an image that was kept.
    """
    reason = pa.array(reasons, pa.string()).dictionary_encode()
    columns = {"image_id": pa.array(image_ids), "left": pa.array(left)}
    columns |= {"reliability": pa.array(reliabilities), "reason": reason}
    write_table(path, pa.table(columns))


def kept_images(path: Path) -> NDArray[np.int64]:
    """Return the (k,) ids of the images that a decisions file keeps."""
    table = pq.read_table(path, columns=["image_id", "reason"])
    kept = pc.equal(table.column("reason").cast(pa.string()), "")
    return table.column("image_id").filter(kept).to_numpy()
