"""The record of a training inside the file of its weights, so that both are copied together.

A file of weights is a zip archive; the record is one more member of it, which torch ignores.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from pseudolabel.core.errors import DataError, Fault

_NAME = "record.json"


def add_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record to a new file of weights.

    Args:
        path: the file that torch wrote.
        record: JSON values.
    """
    with zipfile.ZipFile(path, "a") as archive:
        # A member without a date: the same weights give the same bytes.
        member = zipfile.ZipInfo(_member_name(archive))
        archive.writestr(member, orjson.dumps(record, option=orjson.OPT_SORT_KEYS))


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record in a file of weights; None if it has none.

    Raises:
        DataError: the record is damaged.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.NameToInfo.get(_member_name(archive))
            if member is None:
                return None
            # A record is stored as it is: one that unpacks to more could fill the memory.
            if member.file_size > path.stat().st_size:
                raise DataError([_fault(path, "compressed content")])
            content = archive.read(member)
    except zipfile.BadZipFile:
        return None
    except (UnicodeDecodeError, RuntimeError, EOFError, zlib.error) as error:
        # Damaged names, and members that are encrypted or of another version, by their bytes.
        raise DataError([_fault(path, "a damaged file")]) from error
    return parse_record(content, path)


def parse_record(content: bytes, path: Path) -> dict[str, Any]:
    """Return the record of a training from its JSON.

    Args:
        content: the JSON.
        path: the file that it is from, for messages.

    Raises:
        DataError: the record is damaged.
    """
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise DataError([_fault(path, "damaged JSON")]) from error
    if not _is_record(record):
        raise DataError([_fault(path, "other values")])
    values: dict[str, Any] = record
    return values


def _member_name(archive: zipfile.ZipFile) -> str:
    """Return the name of the record: torch wants all members in the folder of the first one."""
    first = next(iter(archive.namelist()), "")
    return f"{first.partition('/')[0]}/{_NAME}"


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("iterations")) is not int:
        return False
    images, earlier = value.get("images"), value.get("earlier_iterations", 0)
    if not isinstance(images, list) or type(earlier) is not int:
        return False
    return all(type(digest) is str for digest in images) and isinstance(value.get("data", {}), dict)


def _fault(path: Path, found: str) -> Fault:
    return Fault(str(path), "the record of its training", "hashes of images and iterations", found)
