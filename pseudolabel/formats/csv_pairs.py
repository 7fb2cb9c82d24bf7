"""CSV files of two columns, a file and what is said of it, read with every fault told at once."""

from __future__ import annotations

import csv
from pathlib import Path

from pseudolabel.errors import Fault

FILE_COLUMN = "file"

Pairs = list[tuple[str, str]]
"""File name, relative to images/, and what is said of it."""


def parse_pairs(path: Path, column: str) -> tuple[Pairs, list[Fault]]:
    """Return the rows of a CSV with the columns `file` and `column`, and every fault found."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [Fault(path.name, "", "a CSV in UTF-8", str(error))]
    columns = [FILE_COLUMN, column]
    if not rows or [it.strip() for it in rows[0]] != columns:
        found = ",".join(rows[0]) if rows else "nothing"
        return [], [Fault(path.name, "line 1", f"the columns {','.join(columns)}", found)]
    faults, pairs = [], {}
    for number, row in enumerate(rows[1:], start=2):
        record = f"line {number}"
        if len(row) != len(columns) or not all(it.strip() for it in row):
            found = ",".join(row) or "nothing"
            faults.append(Fault(path.name, record, f"a file and a {column}", found))
        elif row[0].strip() in pairs:
            faults.append(Fault(path.name, record, "a file of its own", f"{row[0]!r} again"))
        else:
            pairs[row[0].strip()] = row[1].strip()
    return list(pairs.items()), faults
