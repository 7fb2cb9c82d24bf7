"""Probabilities of classes as a table, CSV or Parquet: a row per image, a column per class."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.regular_files import read_content, read_utf8
from pseudolabel.formats.teacher_files.base import Source

_FILE_COLUMNS = ("file", "filename", "file_name", "image", "path")
_ROUNDING = 0.01
"""Probabilities may add up to this much more than 1: files have few digits."""
_Table = dict[str, list[object]]
Finder = Callable[[NDArray[np.int64]], Probabilities]


def read(source: Source) -> Finder:
    """Return a function from ids of images to their probabilities.

    Columns that stand for the same class are added up. A class without a column has probability 0.
    """
    is_parquet = source.teacher.file.suffix.lower() == ".parquet"
    table = _read_parquet(source) if is_parquet else _read_csv(source)
    key = next((name for name in table if name.lower() in _FILE_COLUMNS), None)
    if key is None:
        if not source.faults:
            found = ", ".join(table)[:100] or "no columns"
            source.fault("", "a column `file`, and one column per class", found)
        return _finder({}, np.empty((0, len(source.categories)), np.float32))
    names = [str(value) for value in table.pop(key)]
    for name, count in Counter(names).items():
        if count > 1:
            source.fault(f"image {name!r}", "one row", f"{count} rows")
    covered = source.cover(names)
    classes = source.classes(table, None)
    values = np.zeros((len(names), len(source.categories)))
    for title, cells in table.items():
        if classes[title] >= 0:
            values[:, classes[title]] += _column(source, title, cells, names)
    for row in np.flatnonzero(values.sum(axis=1) > 1 + _ROUNDING).tolist():
        found = f"{values[row].sum():.3f}"
        source.fault(f"image {names[row]!r}", "probabilities that add up to at most 1", found)
    rows = {covered[name]: row for row, name in enumerate(names) if name in covered}
    return _finder(rows, values.astype(np.float32))


def _finder(rows: dict[int, int], values: NDArray[np.float32]) -> Finder:
    def find(image_ids: NDArray[np.int64]) -> Probabilities:
        known = [image_id for image_id in image_ids.tolist() if image_id in rows]
        return Probabilities(
            np.array(known, np.int64), values[[rows[image_id] for image_id in known]]
        )

    return find


def _column(
    source: Source, title: str, cells: list[object], names: list[str]
) -> NDArray[np.float64]:
    """Return a column of probabilities; add a fault for each cell that is none."""
    values = np.zeros(len(cells))
    for row, cell in enumerate(cells):
        try:
            number = float(cell)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = np.nan
        if 0 <= number <= 1:
            values[row] = number
        else:
            record = f"image {names[row]!r}, {title}"
            source.fault(record, "a probability from 0 to 1", repr(cell)[:60])
    return values


def _read_csv(source: Source) -> _Table:
    """Return the columns of a CSV; empty with a fault if it cannot be read."""
    try:
        text = read_utf8(source.teacher.file)
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        source.fault("", "a CSV in UTF-8", str(error))
        return {}
    header = [name.strip() for name in rows[0]] if rows else []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            source.fault(f"line {number}", f"{len(header)} cells", f"{len(row)} cells")
    if len(set(header)) < len(header):
        source.fault("line 1", "columns with different names", ", ".join(header)[:100])
    if source.faults:
        return {}
    return {name: [row[index].strip() for row in rows[1:]] for index, name in enumerate(header)}


def _read_parquet(source: Source) -> _Table:
    """Return the columns of a Parquet file; empty with a fault if it cannot be read."""
    try:
        table = pq.read_table(pa.BufferReader(read_content(source.teacher.file)))
        columns: _Table = table.to_pydict()
    except (OSError, ValueError, pa.ArrowException) as error:
        found = (str(error).splitlines() or [type(error).__name__])[0]
        source.fault("", "a Parquet file", found)
        return {}
    return columns
