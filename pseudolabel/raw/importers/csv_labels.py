"""CSV: a header, and one row per label.

A row has the file of an image and a class. With corners or sides, each row is a box; otherwise it
is the class of an image. The columns of Open Images and of TensorFlow are understood. All other
columns are kept as fields.
"""

from __future__ import annotations

import math
from pathlib import PurePosixPath

from pseudolabel.core.errors import Fault
from pseudolabel.formats.image_files import IMAGE_SUFFIXES
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record, images_folder
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.csv_table import Columns, Table, list_csv_files, read_table
from pseudolabel.raw.importers.source_files import FileIndex

_GROUP = "IsGroupOf"
"""The column of Open Images that marks the box of a crowd."""


def read(request: ImportRequest) -> ImportResult:
    """Return the labels of a CSV file, or of the only one in a folder, as one split."""
    source, found = request.source, ImportResult()
    files = list_csv_files(source) if source.is_dir() else [source]
    if len(files) != 1:
        found.faults.append(Fault(str(source), "", "one CSV file", f"{len(files)} files"))
        return found
    file = files[0].name
    table = read_table(files[0])
    if not isinstance(table, Table):
        found.faults += table
        return found
    folder = images_folder(request, "images")
    builder = Builder(folder, request.classes, not request.classes)
    _refuse_shares(builder, file, table)
    index = FileIndex(folder)
    images: dict[str, Record | None] = {}
    names: dict[str, str | None] = {}
    for number, row in table.rows:
        stated, record = row[table.columns.file], f"line {number}"
        if stated not in names:
            names[stated] = _find_image(builder, file, index, stated)
        name = names[stated]
        if name is None:
            continue
        if name not in images:
            size = _stated_size(builder, file, record, table.columns, row)
            images[name] = builder.add_image(file, name, size)
        image = images[name]
        if image is not None and row[table.columns.label]:
            _add_label(builder, file, record, table.columns, row, image)
    found.splits[request.split] = builder.finished()
    found.faults += builder.faults
    strays = [name for name in index.names if name not in images]
    found.add_unlabelled("images without a row", index.folder, strays)
    return found


def _find_image(builder: Builder, file: str, index: FileIndex, stated: str) -> str | None:
    """Return the name of a stated image; its suffix may be missing. Add a fault if there is none.

    An image that is not there keeps its stated name, and the builder adds the fault.
    """
    matches = index.find(stated)
    if not matches and PurePosixPath(stated).suffix.lower() not in IMAGE_SUFFIXES:
        matches = index.find_stem(stated)
    if len(matches) > 1:
        found = f"{len(matches)} files of this name"
        builder.fault(file, f"image {stated!r}", "an image file", found)
        return None
    return matches[0] if matches else stated


def _stated_size(
    builder: Builder, file: str, record: str, columns: Columns, row: dict[str, str]
) -> tuple[int, int] | None:
    """Return the width and height of the image as the row states them."""
    if not columns.size or not any(row[key] for key in columns.size):
        return None
    sides = [_number_or_text(row[key]) for key in columns.size]
    width, height = (int(side) if not isinstance(side, str) else -1 for side in sides)
    if min(width, height) < 0:
        builder.fault(file, record, f"numbers in {', '.join(columns.size)}", repr(sides))
        return None
    return width, height


def _add_label(
    builder: Builder, file: str, record: str, columns: Columns, row: dict[str, str], image: Record
) -> None:
    """Add the label of a row to its image."""
    fields: Record = {
        key: _number_or_text(value)
        for key, value in row.items()
        if key not in columns.known and value
    }
    if columns.box:
        box = _box_of(row, columns)
        if box is None:
            cells = [_number_or_text(row[key]) for key in columns.box]
            builder.fault(file, record, f"numbers in {', '.join(columns.box)}", repr(cells))
            return
        if columns.shares:
            sides = (image["width"], image["height"]) * 2
            box = [round(value * side, 3) for value, side in zip(box, sides, strict=True)]
            if fields.get(_GROUP) == 1:
                fields["iscrowd"] = 1
        fields["bbox"] = box
    builder.add_label(file, record, image, row[columns.label], **fields)


def _box_of(row: dict[str, str], columns: Columns) -> list[float | int] | None:
    """Return left, top, width and height of a row's box; None if a cell is no number.

    Swapped corners are turned round.
    """
    values = [_number_or_text(row[key]) for key in columns.box]
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return None
    if columns.corners:
        x1, y1, x2, y2 = numbers
        return [min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)]
    return numbers


def _refuse_shares(builder: Builder, file: str, table: Table) -> None:
    """Add a fault if no box of the CSV can be in pixels."""
    columns = table.columns
    labelled = [row for _, row in table.rows if row[columns.label]]
    if columns.shares or not columns.box or not labelled:
        return
    cells = [_number_or_text(row[key]) for row in labelled for key in columns.box]
    numbers = [cell for cell in cells if not isinstance(cell, str)]
    if numbers and all(0 <= number <= 1 for number in numbers):
        found = f"numbers from 0 to 1 in all {len(labelled):,} boxes, so shares of the image"
        builder.fault(file, ", ".join(columns.box), "boxes in pixels", found)


def _number_or_text(text: str) -> float | int | str:
    """Return the value of a cell: a number if it is a finite number, otherwise the text."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    return int(value) if value.is_integer() and "." not in text else value
