"""Repairing the file names in a COCO file: backslashes, as Windows writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pseudolabel.core.errors import short_repr
from pseudolabel.core.files import path_inside
from pseudolabel.formats.coco_annotations import Record
from pseudolabel.raw.repair_ids import objects_in


def repair_names(content: Record, folder: Path) -> Iterator[str]:
    """Make backslashes slashes in place where only then the file exists; yield a line per name.

    Args:
        content: the content of the COCO file.
        folder: the folder of the images.
    """
    rows = [row for row in objects_in(content, "images") if isinstance(row.get("file_name"), str)]
    used = {row["file_name"] for row in rows}
    for row in rows:
        name = row["file_name"]
        slashed = name.replace("\\", "/")
        if slashed not in used and not _is_file(folder, name) and _is_file(folder, slashed):
            used.add(slashed)
            row["file_name"] = slashed
            yield f"image id {row.get('id')}: {short_repr(name)} made {slashed}"


def _is_file(folder: Path, name: str) -> bool:
    """Return whether a name is that of a file in a folder."""
    path = path_inside(folder, name)
    try:
        return path is not None and path.is_file()
    except (OSError, ValueError):
        return False
