"""What is kept of a raw root's files between runs, as a Parquet file in the scratch folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.core.columns import object_array
from pseudolabel.core.files import hash_bytes, hash_file, written_aside
from pseudolabel.formats import image_header

_SCHEMA = pa.schema(
    [
        ("names", pa.binary()),
        ("sizes", pa.int64()),
        ("modified", pa.int64()),
        ("changed", pa.int64()),
        ("digests", pa.string()),
        ("widths", pa.int32()),
        ("heights", pa.int32()),
        ("deep", pa.bool_()),
    ]
)
_SOURCE = b"source"
"""In the metadata: one hash of the root's path and of the code that reads the headers of images."""
_SIGNATURE = b"signature"
"""In the metadata: one hash of all names, sizes and times; none if a file may change unseen."""
_SUMMARY = b"summary"


@dataclass
class FileTable:
    """The files of a raw root, and what is known of them.

    Attributes:
        names: (n,) paths relative to the root.
        sizes: (n,) bytes.
        modified: (n,) nanoseconds.
        changed: (n,) nanoseconds; -1 if the file must be read again.
        digests: (n,) hash of the content; empty if it is not known.
        widths: (n,) displayed width of an image; 0 for other files, links and unreadable images.
        heights: (n,) displayed height.
        deep: (n,) whether an image has more than 8 bits per channel.
    """

    names: NDArray[Any]
    sizes: NDArray[np.int64]
    modified: NDArray[np.int64]
    changed: NDArray[np.int64]
    digests: NDArray[Any]
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    deep: NDArray[np.bool_]

    @classmethod
    def unread(cls, names: list[bytes], states: NDArray[np.int64]) -> FileTable:
        """Return files of which only the names and the (n, 3) size and times are known."""
        count = len(names)
        sizes, modified, changed = states.T
        return cls(
            names=object_array(names),
            sizes=sizes,
            modified=modified,
            changed=changed,
            digests=object_array([""] * count),
            widths=np.zeros(count, np.int32),
            heights=np.zeros(count, np.int32),
            deep=np.zeros(count, np.bool_),
        )

    @property
    def states(self) -> NDArray[np.int64]:
        """The (n, 3) sizes and times."""
        return np.stack([self.sizes, self.modified, self.changed], axis=1)

    def take(self, rows: NDArray[np.int64], other: FileTable, others: NDArray[np.int64]) -> None:
        """Take what another table knows of files.

        Args:
            rows: (k,) rows of this table.
            other: the other table.
            others: (k,) rows of the other table.
        """
        for name in ("digests", "widths", "heights", "deep"):
            getattr(self, name)[rows] = getattr(other, name)[others]


def write_kept(
    path: Path, root: Path, files: FileTable, signature: str, summary: dict[str, Any]
) -> None:
    """Write the table of files, with what is compared first.

    Args:
        path: the file to write.
        root: the raw root.
        files: its files.
        signature: one hash of all names, sizes and times; empty if files must be read again.
        summary: what is printed of the files.
    """
    metadata = {
        _SOURCE: _source(root),
        _SIGNATURE: signature.encode(),
        _SUMMARY: orjson.dumps(summary),
    }
    columns = [pa.array(getattr(files, field.name), field.type) for field in _SCHEMA]
    table = pa.table(columns, schema=_SCHEMA.with_metadata(metadata))
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd", compression_level=1)


def read_kept(path: Path, root: Path) -> FileTable | None:
    """Return the kept table of a root's files; None if there is none that this version can use."""
    if _read_metadata(path, root) is None:
        return None
    table = pq.read_table(path)
    return FileTable(*(_to_numpy(table.column(field.name)) for field in fields(FileTable)))


def read_summary(path: Path, root: Path, signature: str) -> dict[str, Any] | None:
    """Return the kept summary, if it is of exactly the files with this signature; else None."""
    metadata = _read_metadata(path, root)
    if metadata is None or metadata[_SIGNATURE] != signature.encode():
        return None
    summary: dict[str, Any] = orjson.loads(metadata[_SUMMARY])
    return summary


def _read_metadata(path: Path, root: Path) -> dict[bytes, bytes] | None:
    if not path.is_file():
        return None
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowException:
        # Damaged, for example by a power cut: all files are read again.
        return None
    return metadata if metadata.get(_SOURCE) == _source(root) else None


def _source(root: Path) -> bytes:
    code = hash_file(Path(str(image_header.__file__)))
    return hash_bytes(os.fsencode(root.resolve()) + code.encode()).encode()


def _to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    # A copy: arrays of Arrow cannot be written to.
    return np.array(column.to_numpy())
