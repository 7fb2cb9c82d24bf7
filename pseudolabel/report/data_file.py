"""Data for pages, as scripts: a page that was opened as a file may load no other kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


def write_data(path: Path, name: str, value: Any) -> None:
    """Write the script of a value to a file.

    Args:
        path: the file.
        name: the name by which pages ask for the value.
        value: JSON values.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data_script(name, value))


def data_script(name: str, value: Any) -> bytes:
    """Return the script that stores a value under a name in `window.reportData`.

    No text of the value can end the script, wherever it is placed.

    Args:
        name: the name by which pages ask for the value.
        value: JSON values.
    """
    content = b"(window.reportData = window.reportData || {})[%s] = %s;\n"
    return content % (_to_script(name), _to_script(value))


def _to_script(value: Any) -> bytes:
    """Return a JSON value without characters that mean something to HTML."""
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    for character in b"<>&":
        content = content.replace(bytes([character]), b"\\u%04x" % character)
    return content
