"""Reading COCO files in the layout that this project writes: one object per line.

Each line is JSON of its own, so pyarrow parses blocks of lines into columns. Files in another
layout are left to coco_reader.
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pj

_FIRST = b'{"categories": [\n'
_IMAGES = b'"images": [\n'
_ANNOTATIONS = b'"annotations": [\n'
_CLOSE = b"],\n"
_LAST = b"]}\n"
_CHUNK_BYTES = 1 << 25
"""Size of the blocks of lines that are parsed at once: a limit of memory."""


class OtherLayoutError(ValueError):
    """A file does not have the layout that this project writes."""


def read_lines(
    path: Path, schemas: Mapping[str, pa.Schema]
) -> Generator[tuple[str, pa.Table], None, None]:
    """Yield the name and the columns of each list of a COCO file, annotations in several parts.

    Args:
        path: the file.
        schemas: the columns of `categories`, `images` and `annotations`; others are not read.

    Raises:
        OtherLayoutError: the file has another layout, or a value has another type.
        OSError: the file cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OtherLayoutError("no regular file")
    with path.open("rb") as stream:
        _require(stream.readline() == _FIRST)
        for name, following in (("categories", _IMAGES), ("images", _ANNOTATIONS)):
            lines = list(takewhile(lambda line: line != _CLOSE, stream))
            _require(stream.readline() == following)
            yield name, _parse(_with_comma(b"".join(lines)), schemas[name])
        for block in _blocks(stream):
            yield "annotations", _parse(block, schemas["annotations"])


def _require(condition: bool | np.bool_) -> None:
    """Raise unless the file has the layout so far."""
    if not condition:
        raise OtherLayoutError("another layout")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of a file in blocks of lines, without its last line."""
    block = stream.read(_CHUNK_BYTES) + stream.readline()
    while following := stream.read(_CHUNK_BYTES) + stream.readline():
        # The end of the file stays in one block with the last object.
        if len(following) <= len(_LAST):
            block += following
        else:
            yield block
            block = following
    _require(block.endswith(b"\n" + _LAST))
    yield _with_comma(block.removesuffix(_LAST))


def _with_comma(lines: bytes) -> bytes:
    """Return the lines of a list with a comma after the last object, as after all others."""
    if lines == b"\n":
        return b""
    _require(lines.endswith(b"}\n"))
    return lines[:-1] + b",\n"


def _has_null(line: bytes) -> bool:
    """Return whether a line has the value null; the word may also be part of a file's name."""
    if b"null" not in line:
        return False
    try:
        left = [orjson.loads(line.removesuffix(b","))]
    except orjson.JSONDecodeError as error:
        raise OtherLayoutError(str(error)) from error
    while left:
        value = left.pop()
        if value is None:
            return True
        left += value.values() if isinstance(value, dict) else []
        left += value if isinstance(value, list) else []
    return False


def _parse(lines: bytes, schema: pa.Schema) -> pa.Table:
    """Return the columns of lines that are one object and a comma each."""
    if not lines:
        return schema.empty_table()
    # pyarrow checks no commas and no encoding, and takes null for a missing value.
    _require(b"null" not in lines or not any(map(_has_null, lines.split(b"\n"))))
    characters = np.frombuffer(bytearray(lines), np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    commas = ends - 1
    _require((characters[commas] == ord(",")).all() and (characters[commas - 1] == ord("}")).all())
    characters[commas] = ord(" ")
    try:
        lines.isascii() or lines.decode()
        table = pj.read_json(
            pa.BufferReader(pa.py_buffer(characters)),
            pj.ReadOptions(block_size=_CHUNK_BYTES // 2),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except (UnicodeDecodeError, pa.ArrowException) as error:
        raise OtherLayoutError(str(error)) from error
    _require(len(table) == len(ends))
    return table
