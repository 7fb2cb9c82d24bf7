"""Many data files of pages in one Parquet file: DVC is slow with many files.

Files are written one after the other: memory does not grow with their number.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_NAME, _CONTENT = "name", "content"
_SCHEMA = pa.schema([(_NAME, pa.string()), (_CONTENT, pa.large_binary())])
_GROUP = 4_000_000
"""Bytes after which a row group is written."""


class DataPack:
    """Writes files into a pack."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")
        self._names: list[str] = []
        self._contents: list[bytes] = []

    def add(self, name: str, content: bytes) -> None:
        """Add a file.

        Args:
            name: its name.
            content: its content.
        """
        self._names.append(name)
        self._contents.append(content)
        if sum(map(len, self._contents)) >= _GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._names:
            self._writer.write_table(pa.table([self._names, self._contents], schema=_SCHEMA))
        self._names, self._contents = [], []


def unpack(path: Path, folder: Path) -> None:
    """Write the files of a pack into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pack = pq.ParquetFile(path)
    for group in range(pack.num_row_groups):
        rows = pack.read_row_group(group).to_pydict()
        for name, content in zip(rows[_NAME], rows[_CONTENT], strict=True):
            (folder / name).write_bytes(content)
