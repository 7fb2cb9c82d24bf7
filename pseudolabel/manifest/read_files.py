"""Reading raw files: the hash of their content, and the size of an image."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.bucket import AT_ONCE, address_of
from pseudolabel.core.files import hash_bytes, hash_file
from pseudolabel.core.image_cache import keep_image
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_files import IMAGE_SUFFIXES
from pseudolabel.formats.image_header import UnreadableImageError, read_header
from pseudolabel.manifest.kept_files import FileTable

_RECENT = 2_000_000_000
"""Nanoseconds. A file that changed so shortly before it is read may change again unseen."""


def read_files(
    root: Path,
    files: FileTable,
    rows: NDArray[np.int64],
    links: NDArray[np.bool_],
    progress: Any,
) -> NDArray[np.bool_]:
    """Read some files into the table, and return whether what was found will hold."""
    start = time.time_ns()
    paths = [root / os.fsdecode(files.names[row]) for row in rows]
    # A bucket answers late, but many at once.
    threads = None if address_of(root) is None else AT_ONCE
    with ThreadPoolExecutor(threads) as executor:
        for row, found in zip(rows, executor.map(_read_file, paths), strict=True):
            files.digests[row], files.widths[row], files.heights[row], files.deep[row] = found
            progress.update()
    # What a link leads to is checked each time.
    files.widths[rows[links[rows]]] = 0
    newest = np.maximum(files.modified[rows], files.changed[rows])
    return (files.digests[rows] != "") & (newest < start - _RECENT)


def _read_file(path: Path) -> tuple[str, int, int, bool]:
    """Return the hash of a file, and for an image its width, its height and whether it is deep."""
    digest = ""
    try:
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            return hash_file(path) if path.is_file() else "", 0, 0, False
        content = read_content(path)
        digest = hash_bytes(content)
        if address_of(path) is not None:
            keep_image(digest, content)
        header = read_header(content)
    except (OSError, UnreadableImageError):
        # `prepare` reads this image once more, and tells of the fault.
        return digest, 0, 0, False
    return digest, header.width, header.height, header.is_deep
