"""CSV files of two columns, a file and its value; all faults are reported together."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_utf8

_FILE_COLUMN = "file"

Pairs = list[tuple[str, str]]
"""File name, relative to images/, and its value."""


def parse_pairs(path: Path, column: str) -> tuple[Pairs, list[Fault]]:
    """Return the rows of a CSV with the columns `file` and `column`, and every fault in it.

    Args:
        path: the file.
        column: the name of the second column.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_utf8(path), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [Fault(path.name, "", "a CSV in UTF-8", str(error))]
    columns = [_FILE_COLUMN, column]
    if not rows or [cell.strip() for cell in rows[0]] != columns:
        found = ",".join(rows[0]) if rows else "nothing"
        return [], [Fault(path.name, "line 1", f"the columns {','.join(columns)}", found)]
    faults, pairs = [], {}
    for number, row in enumerate(rows[1:], start=2):
        record = f"line {number}"
        if len(row) != len(columns) or not all(cell.strip() for cell in row):
            found = ",".join(row) or "nothing"
            faults.append(Fault(path.name, record, f"a file and a {column}", found))
        elif row[0].strip() in pairs:
            faults.append(Fault(path.name, record, "a unique file", f"{row[0]!r} again"))
        else:
            pairs[row[0].strip()] = row[1].strip()
    return list(pairs.items()), faults
