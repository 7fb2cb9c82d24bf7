"""CSV: a row for each label, with a header.

The columns `file` and `label` are a classification; with x1, y1, x2, y2 or x, y, width, height
beside them each row is a box. All other columns survive as fields, numbers as numbers.
"""

from __future__ import annotations

import csv
import math

from pseudolabel.errors import Fault
from pseudolabel.imports.source import Builder, Found, Record, Request, images_folder

CORNERS, SIDES = ("x1", "y1", "x2", "y2"), ("x", "y", "width", "height")


def read(request: Request) -> Found:
    """Return a CSV file as one split."""
    source, found = request.source, Found()
    try:
        with source.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        found.faults.append(Fault(source.name, "", "a CSV in UTF-8", str(error)))
        return found
    columns = list(rows[0]) if rows else []
    if not {"file", "label"} <= set(columns):
        said = ",".join(map(str, columns)) or "nothing"
        found.faults.append(Fault(source.name, "line 1", "the columns file and label", said))
        return found
    builder = Builder(images_folder(request, "images"), request.classes, not request.classes)
    images: dict[str, Record | None] = {}
    for number, row in enumerate(rows, start=2):
        add_row(builder, source.name, f"line {number}", row, images)
    found.splits[request.split] = builder.finished()
    found.faults += builder.faults
    return found


def add_row(
    builder: Builder,
    file: str,
    record: str,
    row: dict[str, str],
    images: dict[str, Record | None],
) -> None:
    """Add the label of a row, and its image where it is new; without a label the image alone."""
    name, label = (row["file"] or "").strip(), (row["label"] or "").strip()
    if name not in images:
        images[name] = builder.add_image(file, name)
    image = images[name]
    if image is None or not label:
        return
    keys = next((it for it in (CORNERS, SIDES) if set(it) <= set(row)), ())
    fields: Record = {
        key: number_or_text(value)
        for key, value in row.items()
        if key not in (None, "file", "label", *keys) and value
    }
    if keys:
        cells = [number_or_text(row[key] or "") for key in keys]
        values = [it for it in cells if not isinstance(it, str)]
        if len(values) < len(keys):
            builder.fault(file, record, f"numbers in {', '.join(keys)}", repr(cells))
            return
        if keys == CORNERS:
            values = [values[0], values[1], values[2] - values[0], values[3] - values[1]]
        fields["bbox"] = values
    builder.add_label(file, record, image, label, **fields)


def number_or_text(text: str) -> float | int | str:
    """Return what a cell says, as a number where it is a finite one."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    return int(value) if value.is_integer() and "." not in text else value
