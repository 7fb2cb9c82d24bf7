"""The manifest of a raw root: all its files by name, with the hash of their content.

A file is read once. As long as its size and its times are the same, it is not read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.bucket import address_of, shown_path
from pseudolabel.core.errors import DataError, Fault, PseudolabelError, counted
from pseudolabel.core.files import hash_bytes, write_json
from pseudolabel.core.image_cache import limit_cache
from pseudolabel.formats.image_files import (
    IMAGE_SUFFIXES,
    IMAGES,
    ImageFacts,
    read_image_facts,
    usable_fact,
)
from pseudolabel.manifest.bucket_files import read_bucket_states
from pseudolabel.manifest.file_states import read_file_states
from pseudolabel.manifest.kept_files import FileTable, read_kept, read_summary, write_kept
from pseudolabel.manifest.read_files import read_files

FILES = "files.parquet"
"""In the folder of what is kept between runs."""
_KEEP_EVERY = 50_000
"""Files that are read before what is known is kept: a kill costs no more."""


@dataclass(frozen=True)
class Changes:
    """The numbers of files that differ from the manifest of the last time."""

    new: int
    changed: int
    removed: int


@dataclass(frozen=True)
class Manifest:
    """The files of a raw root.

    Attributes:
        root: the raw root.
        summary: the number of files, images and bytes, and one hash of all names and contents.
        changes: what differs from the last time.
        source: the table of files, or the file that has it.
    """

    root: Path
    summary: dict[str, Any]
    changes: Changes
    source: FileTable | Path

    @cached_property
    def _files(self) -> FileTable:
        if isinstance(self.source, FileTable):
            return self.source
        files = read_kept(self.source, self.root)
        if files is None:
            raise PseudolabelError(f"{self.source}: removed while it was needed; run this again")
        return files

    @cached_property
    def _rows(self) -> dict[str, int]:
        """The row of each image by its path in images/, sorted."""
        rows = {}
        for row, name in enumerate(self._files.names.tolist()):
            path = _path_of_image(name)
            if path is not None:
                rows[path] = row
        return dict(sorted(rows.items()))

    @property
    def images(self) -> list[str]:
        """The sorted paths of all image files, relative to images/."""
        return list(self._rows)

    def facts(self, image: str) -> ImageFacts | None:
        """Return the facts of an image; None if it is a link, or could not be read.

        Args:
            image: the path relative to images/.
        """
        row = self._rows.get(image, -1)
        files = self._files
        if row < 0 or not files.widths[row]:
            return None
        width, height = int(files.widths[row]), int(files.heights[row])
        return ImageFacts(width, height, files.digests[row], bool(files.deep[row]))

    def usable_facts(
        self, images: Sequence[str], label: str, max_pixels: int | None
    ) -> Iterator[ImageFacts | Fault]:
        """Yield the facts of each image, or its fault, in order.

        Args:
            images: paths relative to images/.
            label: name of the images in the progress bar, if some have to be read.
            max_pixels: an image of more pixels cannot be used; None for no limit.
        """
        known = [self.facts(image) for image in images]
        others = [image for image, fact in zip(images, known, strict=True) if fact is None]
        read = read_image_facts(self.root / IMAGES, others, label, max_pixels) if others else ()
        found = iter(read)
        for image, fact in zip(images, known, strict=True):
            yield next(found) if fact is None else usable_fact(fact, image, max_pixels)


def require_folders(root: Path) -> None:
    """Raise DataError if there is no such raw root, or if it has no images/."""
    if address_of(root) is not None:
        # The listing of the bucket will tell.
        return
    if not root.is_dir():
        raise DataError([Fault(str(root), "", "a folder of raw data", "none")])
    if not (root / IMAGES).is_dir():
        raise DataError([Fault(str(root), IMAGES, "a folder of images", "none")])


def read_manifest(root: Path, kept: Path | None = None) -> Manifest:
    """Return the manifest of a raw root; only new and changed files are read.

    Args:
        root: the raw root.
        kept: the file with the manifest of the last time, which is replaced; None to keep none.

    Raises:
        DataError: the root is in a bucket, and has no images, or names that no file can have.
        BucketError: the bucket cannot be read.
    """
    address = address_of(root)
    states = read_file_states(root) if address is None else read_bucket_states(address, root)
    summary = None if kept is None else read_summary(kept, root, states.signature)
    if kept is not None and summary is not None:
        return Manifest(root, summary, Changes(0, 0, 0), kept)
    files = FileTable.unread(states.names, states.states)
    before = None if kept is None else read_kept(kept, root)
    matched = _match(files, before)
    is_known = _take_known(files, before, matched)
    unread = np.flatnonzero(~is_known & (files.sizes >= 0))
    total = len(unread)
    with tqdm(
        total=total, desc=f"files of {shown_path(root)}", mininterval=2, disable=not total
    ) as progress:
        while len(unread):
            rows, unread = unread[:_KEEP_EVERY], unread[_KEEP_EVERY:]
            is_known[rows] = read_files(root, files, rows, states.links, progress)
            if kept is not None and len(unread):
                write_kept(kept, root, _with_known(files, is_known), "", {})
    summary = _summarise(files)
    if kept is not None:
        signature = states.signature if is_known.all() else ""
        write_kept(kept, root, _with_known(files, is_known), signature, summary)
    return Manifest(root, summary, _compare(files, before, matched), files)


def write_manifest(root: Path, output: Path, kept: Path, cache_bytes: int) -> str:
    """Write the summary of a raw root, and return what was found as a line of text.

    Args:
        root: the raw root.
        output: the JSON file to write.
        kept: the folder with what is known of unchanged files.
        cache_bytes: of a root in a bucket, how much of its images this machine keeps.

    Raises:
        DataError: there is no such root, or it has no images/.
        BucketError: the root is in a bucket, which cannot be read.
    """
    require_folders(root)
    if address_of(root) is not None:
        limit_cache(cache_bytes)
    manifest = read_manifest(root, kept / FILES)
    write_json(output, manifest.summary)
    changes, found = manifest.changes, manifest.summary
    if not any((changes.new, changes.changed, changes.removed)):
        text = "none changed"
    else:
        text = f"{changes.new:,} new, {changes.changed:,} changed, {changes.removed:,} removed"
    files, images = counted(found["files"], "file"), counted(found["images"], "image")
    return f"{shown_path(root)}: {files}, {images}: {text}"


def _match(files: FileTable, before: FileTable | None) -> NDArray[np.int64]:
    """Return the (n,) row in the table of before of each file; -1 if it is new."""
    if before is None:
        return np.full(len(files.names), -1)
    names, known = (pa.array(table.names, pa.binary()) for table in (files, before))
    return np.array(pc.index_in(names, value_set=known).fill_null(-1), np.int64)


def _take_known(
    files: FileTable, before: FileTable | None, matched: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Take what is known of the files with the size and times of before; return which they are."""
    same = matched >= 0
    if before is not None:
        same[same] = (files.states[same] == before.states[matched[same]]).all(axis=1)
        files.take(np.flatnonzero(same), before, matched[same])
    return same


def _with_known(files: FileTable, is_known: NDArray[np.bool_]) -> FileTable:
    """Return a table to keep, in which the other files will be read again."""
    return replace(files, changed=np.where(is_known, files.changed, -1))


def _summarise(files: FileTable) -> dict[str, Any]:
    """Return the summary of files, which depends on names and contents alone."""
    images = sum(_path_of_image(name) is not None for name in files.names.tolist())
    contents = [*files.names.tolist(), *map(str.encode, files.digests.tolist())]
    return {
        "files": len(files.names),
        "images": images,
        "bytes": int(files.sizes.clip(0).sum()),
        "digest": hash_bytes(b"\0".join(contents)),
    }


def _compare(files: FileTable, before: FileTable | None, matched: NDArray[np.int64]) -> Changes:
    """Return how many files are new, changed or gone."""
    if before is None:
        return Changes(len(files.names), 0, 0)
    both = matched >= 0
    changed = files.digests[both] != before.digests[matched[both]]
    return Changes(int((~both).sum()), int(changed.sum()), len(before.names) - int(both.sum()))


def _path_of_image(name: bytes) -> str | None:
    """Return the path in images/ of an image file of a raw root; None for another file."""
    folder, _, path = os.fsdecode(name).partition("/")
    is_image = folder == IMAGES and PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES
    return path if is_image else None
