"""Parquet shards of predictions and silver, written and read shard by shard."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import written_aside
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Images

_SCHEMA = pa.schema(
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
_BOX_COLUMNS = ("x1", "y1", "x2", "y2")
_SHARD_NAME = re.compile(r"shard-(\d{6})\.parquet")
_STABILITY = "stability"
UNREADABLE = b"unreadable"
"""In the metadata of a shard: the names of its image files that cannot be decoded."""
DAMAGE = (OSError, KeyError, ValueError, TypeError, pa.ArrowException)
"""What reading a damaged file may raise."""
TEACHER_FILE = "teacher.json"
"""Beside the shards: the round, the hash of the teacher's weights, and the unreadable files."""
WITHOUT_TUNING = "without_tuning"
"""In it: true if the teacher is a file without predictions for tuning."""


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of one shard."""
    return folder / f"shard-{number:06d}.parquet"


def shard_paths(folder: Path) -> list[Path]:
    """Return the paths of the shards in a folder, in order."""
    return sorted(path for path in folder.iterdir() if _SHARD_NAME.fullmatch(path.name))


@dataclass(frozen=True)
class Shard:
    """One shard of predictions with its images."""

    path: Path
    images: Images


def list_shards(folder: Path, images: Images, size: int) -> list[Shard]:
    """Return every shard of a folder of predictions with its images, in order.

    Args:
        folder: the folder.
        images: the images of all shards, in order.
        size: number of images per shard.
    """
    begins = range(0, len(images), size)
    return [
        Shard(shard_path(folder, number), images[begin : begin + size])
        for number, begin in enumerate(begins)
    ]


def write_shard(path: Path, annotations: Annotations, unreadable: Sequence[str] = ()) -> None:
    """Write predicted annotations as one shard, atomically.

    Args:
        path: the shard.
        annotations: the rows; their ids are not written.
        unreadable: names of the image files of the shard that cannot be decoded.
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
    for side, name in enumerate(_BOX_COLUMNS):
        columns[name] = np.ascontiguousarray(boxes[:, side])
    arrays = [pa.array(columns[name], _SCHEMA.field(name).type) for name in _SCHEMA.names]
    write_table(path, pa.table(arrays, schema=_SCHEMA), unreadable)


def write_table(path: Path, table: pa.Table, unreadable: Sequence[str] = ()) -> None:
    """Write a table, and the names of unreadable image files as metadata, atomically."""
    table = table.replace_schema_metadata({UNREADABLE: orjson.dumps(list(unreadable))})
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd", compression_level=1)


def read_shard(path: Path) -> Annotations:
    """Return the annotations of one shard.

    Raises:
        DataError: the file is no shard of this project.
    """
    table = read_table(path, _SCHEMA)
    columns = {name: table.column(name).to_numpy() for name in _SCHEMA.names if name != "mask"}
    boxes = np.stack([columns[name] for name in _BOX_COLUMNS], axis=1)
    found = Annotations.predicted(
        columns["image_id"], columns["category_id"], boxes, columns["score"], 0
    )
    masks = found.masks
    # Converting bytes to Python objects is slow, so skip it if no row has a mask.
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
        raise damaged_shard(path, error) from error


def damaged_shard(path: Path, error: Exception) -> DataError:
    """Return the error of a file that is no shard of this project."""
    reason = str(error).partition("\n")[0]
    return DataError([Fault(str(path), "", "a shard of this project", reason)])


def _require(table: pa.Table, path: Path, **checks: Callable[[pa.DataType], bool]) -> None:
    """Raise unless a table has columns of these types.

    Raises:
        DataError: the file is no shard of this project.
    """
    for name, check in checks.items():
        # By its index: the names of other columns may be damaged.
        index = table.schema.get_field_index(name)
        if index < 0 or not check(table.schema.field(index).type):
            raise DataError([Fault(str(path), "", f"a shard with the column {name}", "another")])


def write_probabilities(path: Path, found: Probabilities, unreadable: Sequence[str] = ()) -> None:
    """Write a classifier's probabilities as one shard: one row per image, with all classes."""
    flat = pa.array(found.values.ravel())
    values = pa.FixedSizeListArray.from_arrays(flat, max(1, found.values.shape[1]))
    table = pa.table({"image_id": pa.array(found.image_ids), "probabilities": values})
    write_table(path, table, unreadable)


def read_probabilities(path: Path) -> Probabilities:
    """Return a classifier's probabilities from one shard.

    Raises:
        DataError: the file is no shard of this project.
    """
    table = read_table(path, None)
    _require(table, path, image_id=pa.types.is_integer, probabilities=pa.types.is_fixed_size_list)
    column = table.column("probabilities").combine_chunks()
    values = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
    return Probabilities(table.column("image_id").to_numpy(), values)


def stability_path(shard: Path) -> Path:
    """Return the path of the file with the stabilities of a shard's images."""
    return shard.with_name(shard.name.replace("shard", _STABILITY))


def write_stabilities(
    shard: Path, image_ids: NDArray[np.int64], stabilities: NDArray[np.float32]
) -> None:
    """Write the stabilities of a shard's images, beside the shard.

    Args:
        shard: the path of the shard.
        image_ids: (n,) ids.
        stabilities: (n,) agreement of the predictions of several checkpoints, 0 to 1.
    """
    columns = {"image_id": pa.array(image_ids), "stability": pa.array(stabilities)}
    write_table(stability_path(shard), pa.table(columns))


def read_stabilities(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the (k,) ids and stabilities of the images of a folder.

    The arrays are empty if stabilities were not measured.
    """
    paths = [path for path in map(stability_path, shard_paths(folder)) if path.is_file()]
    tables = [read_table(path, None) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        _require(table, path, image_id=pa.types.is_integer, stability=pa.types.is_floating)
    ids = [np.empty(0, np.int64), *(table.column("image_id").to_numpy() for table in tables)]
    values = [np.empty(0, np.float32), *(table.column("stability").to_numpy() for table in tables)]
    return np.concatenate(ids), np.concatenate(values)


def read_unreadable(path: Path) -> list[str]:
    """Return the names of the image files of a shard that cannot be decoded.

    Raises:
        DataError: the file is no shard of this project.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return [str(name) for name in orjson.loads(metadata.get(UNREADABLE, b"[]"))]
    except DAMAGE as error:
        raise damaged_shard(path, error) from error


def read_shards(folder: Path) -> Annotations:
    """Return the annotations of all shards in a folder, in order."""
    return Annotations.concatenate([read_shard(path) for path in shard_paths(folder)])
