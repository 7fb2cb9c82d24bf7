"""JSON of other tools: files with a byte order mark, and numbers that are written in other ways."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import orjson

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_content
from pseudolabel.raw.importers.base import Record

_RESERVED = {
    *("file", "record", "image", "name", "stated_size", "class", "id", "image_id", "category_id"),
    *("file_name", "width", "height", "bbox", "segmentation"),
}
"""Fields that the importers write themselves."""
_LARGEST = 2**63
_WHOLE = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")


def read_json(path: Path, label: str, faults: list[Fault]) -> Any:
    """Return the value of a JSON file; add a fault and return None if it cannot be read.

    Args:
        path: the file.
        label: the name of the file, for the fault.
        faults: the list to which the fault is added.
    """
    try:
        content = read_content(path)
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            content = content.decode("utf-16").encode()
        return orjson.loads(content.removeprefix(codecs.BOM_UTF8))
    except (OSError, UnicodeError, orjson.JSONDecodeError) as error:
        faults.append(Fault(label, "", "JSON", str(error)))
        return None


def whole_number(value: Any) -> int | None:
    """Return a whole number that is written as a number or a text; None for other values."""
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value.strip())
        number = int(match[1]) if match else None
    elif type(value) is float and math.isfinite(value) and value.is_integer():
        number = int(value)
    else:
        number = value if type(value) is int else None
    return number if number is not None and abs(number) < _LARGEST else None


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """Return the width and height that a file states; None if it states none."""
    sides = (whole_number(width), whole_number(height))
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def other_fields(row: Mapping[str, Any], known: Collection[str]) -> Record:
    """Return the fields of a row that are neither known nor empty, to be kept."""
    return {
        key: value
        for key, value in row.items()
        if key not in known and key not in _RESERVED and value not in (None, "", [], {})
    }
