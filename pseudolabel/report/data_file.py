"""Data for pages, as scripts: a page that was opened as a file may load no other kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


def write_data(path: Path, name: str, value: Any) -> None:
    """Write a value as a script that stores it under a name in `window.reportData`.

    No text of the value can end the script, wherever it is placed.

    Args:
        path: the file.
        name: the name by which pages ask for the value.
        value: JSON values.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"(window.reportData = window.reportData || {})[%s] = %s;\n"
    path.write_bytes(content % (_to_script(name), _to_script(value)))


def _to_script(value: Any) -> bytes:
    """Return a JSON value without characters that mean something to HTML."""
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    for character in b"<>&":
        content = content.replace(bytes([character]), b"\\u%04x" % character)
    return content
