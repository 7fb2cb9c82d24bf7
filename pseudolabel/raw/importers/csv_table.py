"""Reading a CSV of labels: its encoding, its delimiter, and what its columns mean."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_files import is_junk

CSV_SUFFIXES = {".csv", ".tsv"}
_DELIMITERS = ",;\t"
_FILE = ("file", "filename", "imageid")
_LABEL = ("label", "class", "labelname")
_SIDES = ("x", "y", "width", "height")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Columns:
    """The columns of a CSV by their meaning.

    Attributes:
        file: the column of the image's file.
        label: the column of the class.
        corners: the columns of left, top, right and bottom; empty if the CSV has none.
        sides: the columns of left, top, width and height; empty if the CSV has none.
        size: the columns of the image's width and height; empty if the CSV has none.
        shares: whether corners are shares of the image, as those of Open Images are.
    """

    file: str
    label: str
    corners: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    size: tuple[str, ...] = ()
    shares: bool = False

    @property
    def box(self) -> tuple[str, ...]:
        """The columns of the box; empty if the CSV has no boxes."""
        return self.corners or self.sides

    @property
    def known(self) -> set[str]:
        """All columns that are not kept as fields of a label."""
        return {self.file, self.label, *self.corners, *self.sides, *self.size}


@dataclass(frozen=True)
class Table:
    """The rows of a CSV, each with the number of its line."""

    columns: Columns
    rows: list[tuple[int, dict[str, str]]]


def list_csv_files(folder: Path) -> list[Path]:
    """Return the CSV files directly in a folder, sorted."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in CSV_SUFFIXES)
    return sorted(path for path in files if not is_junk(path.name))


def read_table(path: Path) -> Table | list[Fault]:
    """Return the rows of a CSV, or its faults. Its delimiter is a comma, a semicolon or a tab."""
    try:
        content = read_content(path)
        if content.startswith(_WIDE):
            return [Fault(path.name, "", "a CSV in UTF-8", "UTF-16")]
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"another encoding, such as EUC-KR or Windows-1252 (byte {error.start:,})"
        return [Fault(path.name, "", "a CSV in UTF-8", found)]
    except OSError as error:
        return [Fault(path.name, "", "a CSV in UTF-8", str(error))]
    try:
        for delimiter in _DELIMITERS:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            header = [name.strip() for name in next(reader, [])]
            columns = _columns_of(header)
            if columns is not None:
                rows = [(reader.line_num, cells) for cells in reader if any(cells)]
                return _table(path.name, columns, header, rows)
    except csv.Error as error:
        return [Fault(path.name, "", "a CSV", str(error))]
    found = text.partition("\n")[0].strip()[:100] or "nothing"
    return [Fault(path.name, "line 1", "the columns file and label", found)]


def _columns_of(header: list[str]) -> Columns | None:
    """Return the meaning of the columns; None if there are no columns of files and labels."""
    names = {name.lower(): name for name in reversed(header)}
    file = next((name for name in _FILE if name in names), None)
    label = next((name for name in _LABEL if name in names), None)
    corners = next((keys for keys in _CORNERS if set(keys) <= set(names)), ())
    if file is None or label is None or (file == "imageid" and not corners):
        return None
    sides = _SIDES if not corners and set(_SIDES) <= set(names) else ()
    size = ("width", "height") if corners and {"width", "height"} <= set(names) else ()
    return Columns(
        names[file],
        names[label],
        tuple(names[key] for key in corners),
        tuple(names[key] for key in sides),
        tuple(names[key] for key in size),
        shares=file == "imageid",
    )


def _table(
    file: str, columns: Columns, header: list[str], rows: list[tuple[int, list[str]]]
) -> Table | list[Fault]:
    """Return the rows as objects, or a fault for each row with more cells than the header."""
    expected = f"{len(header)} cells as in the header"
    faults = [
        Fault(file, f"line {number}", expected, f"{len(cells)} cells")
        for number, cells in rows
        if any(cells[len(header) :])
    ]
    if not rows:
        faults.append(Fault(file, "line 2", "a row for each label", "none"))
    if faults:
        return faults
    filled = ((number, cells + [""] * (len(header) - len(cells))) for number, cells in rows)
    return Table(
        columns,
        [
            (number, {name: cell.strip() for name, cell in zip(header, cells, strict=False)})
            for number, cells in filled
        ],
    )
