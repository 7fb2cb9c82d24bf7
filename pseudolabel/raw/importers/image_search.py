"""Finding the image that a label file names, also after it was moved or renamed by a server."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pseudolabel.raw.importers.base import Record, existing_path_inside
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.source_files import FileIndex

_SHOWN = 3
"""Candidates that a fault names."""
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
_DRAWN = re.compile(
    r"masks?(_\w+)?|segmentation(class|object)\w*|visuali[sz]ations?", re.IGNORECASE
)
"""Names of folders whose images are drawn from labels."""
ONE_IMAGE = "a name that only one image has"


def find_image(index: FileIndex, name: str, folder: str = "") -> list[str]:
    """Return the images that a name may mean: one if it is clear, none, or several.

    Args:
        index: the images.
        name: the name in the label file: a path, also of Windows, or an address.
        folder: the folder of the label file, relative to that of the index. Of several images with
            the name, the one in a folder of this name is meant. Masks are meant only if the name
            has their folder.
    """
    for spelling in _spellings(name):
        plain = posixpath.normpath(spelling.replace("\\", "/"))
        for exact in (posixpath.normpath(f"{folder}/{plain}"), plain):
            if exact in index:
                return [exact]
        matches = index.find(f"{folder}/{plain}")
        found = [match for match in matches if is_drawn(plain) or not is_drawn(match)]
        beside = posixpath.join(folder, posixpath.basename(plain))
        if found:
            return [beside] if beside in found else found
    return []


def is_drawn(name: str) -> bool:
    """Return whether an image is in a folder of masks or of drawn labels, such as masks/."""
    return any(_DRAWN.fullmatch(folder) for folder in name.split("/")[:-1])


def candidates_text(names: list[str]) -> str:
    """Return the number of candidates and some of their names, for a fault."""
    dots = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names)}: {', '.join(map(repr, names[:_SHOWN]))}{dots}"


def add_found_image(
    builder: Builder,
    index: FileIndex,
    file: str,
    names: list[str],
    stated_size: tuple[int, int] | None = None,
    **fields: Any,
) -> Record | None:
    """Find an image, add it and return its row; add a fault and return None if that fails.

    Args:
        builder: the builder of the split.
        index: the images.
        file: the file that names the image, also for the fault.
        names: the names that it may have, the best first.
        stated_size: see `Builder.add_image`.
        fields: other fields of the image.
    """
    folder = posixpath.dirname(file)
    matches = next((found for name in names if (found := find_image(index, name, folder))), [])
    if len(matches) > 1:
        builder.fault(file, f"image {names[0]!r}", ONE_IMAGE, candidates_text(matches))
        return None
    # A file with another suffix than that of an image is not in the index.
    if not matches and existing_path_inside(index.folder, names[0]) is None:
        builder.fault(file, f"image {names[0]!r}", "an image file", "no file")
        return None
    return builder.add_image(file, matches[0] if matches else names[0], stated_size, **fields)


def _spellings(name: str) -> Iterator[str]:
    """Yield the name as it is, the file of an address, and the name before it was uploaded."""
    yield name
    address = unquote(name)
    if "?d=" in address:
        address = address.partition("?d=")[2]
    elif "://" in address or address.startswith("/data/"):
        address = address.partition("?")[0]
    if address != name:
        yield address
    folder, base = posixpath.split(address.replace("\\", "/"))
    uploaded = _UPLOAD_PREFIX.sub("", base)
    if uploaded != base:
        yield posixpath.join(folder, uploaded)
