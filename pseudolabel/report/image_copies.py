"""Copies of images: small ones of all images that pages show, large ones of some of them.

They are written once, and taken over if they are those of the report before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.files import written_aside
from pseudolabel.core.records import Images
from pseudolabel.formats.image_decoder import decode_small
from pseudolabel.formats.image_files import read_unchanged
from pseudolabel.formats.image_header import UnreadableImageError

MOST_LARGE = 500
"""Large copies of a report, so that its size stays bounded."""
_AT_ONCE = 256
"""Images that wait for a free thread: more would fill the memory with their names."""


@dataclass(frozen=True)
class CopySize:
    """The size of copies.

    Attributes:
        side: pixels of the longer side, at most.
        quality: of the JPEG.
    """

    side: int
    quality: int

    @property
    def folder(self) -> str:
        """The folder in the report: copies of another size must not be taken for these."""
        return f"images/{self.side}-{self.quality}"

    def path(self, folder: Path, digest: str) -> Path:
        """Return the path of an image's copy below a folder: equal images share one."""
        return folder / self.folder / digest[:2] / f"{digest}.jpg"


THUMBNAIL, LARGE = CopySize(400, 75), CopySize(1600, 80)


class Picture(NamedTuple):
    """An image file: its name, its content hash, and the pixels of its longer side."""

    name: str
    digest: str
    side: int


def choose_large(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the first pictures whose thumbnails are smaller than they are, each once."""
    larger = (picture for picture in pictures if picture.side > THUMBNAIL.side)
    return list(islice({picture.digest: picture for picture in larger}.values(), MOST_LARGE))


def write_copies(
    copies: Iterable[tuple[CopySize, Picture]], images: Path, report: Path, scratch: Path
) -> None:
    """Write copies of images into a report.

    Args:
        copies: the images, each with the size of its copy; they may occur several times.
        images: the image folder of the raw root.
        report: the report to write to.
        scratch: a folder outside of DVC's outputs with the copies of the report before. It has
            those of this report afterwards.

    Raises:
        ChangedImageError: an image is no longer the one that `prepare` read.
    """
    with written_aside(scratch) as fresh, ThreadPoolExecutor() as executor:
        fresh.mkdir(parents=True)

        def write_one(copy: tuple[CopySize, Picture]) -> None:
            size, (name, digest, _) = copy
            path, kept = (size.path(folder, digest) for folder in (report, fresh))
            if path.is_file():
                return
            for folder in (path.parent, kept.parent):
                folder.mkdir(parents=True, exist_ok=True)
            existing = size.path(scratch, digest)
            if existing.is_file():
                _link_or_copy(existing, kept)
            else:
                kept.write_bytes(_copy(images / name, digest, size))
            _link_or_copy(kept, path)

        for batch in _batches(copies):
            # Two threads must not write the same copy; equal images have one, whatever their names.
            unique = {(copy[0], copy[1].digest): copy for copy in batch}
            list(executor.map(write_one, unique.values()))


def thumbnails_of(images: Images, label: str) -> Iterator[tuple[CopySize, Picture]]:
    """Yield each image for its thumbnail, with a progress bar."""
    sides = np.maximum(images.widths, images.heights).tolist()
    rows = zip(images.file_names, images.hashes, sides, strict=True)
    for name, digest, side in tqdm(rows, f"thumbnails of {label}", len(images), mininterval=2):
        yield THUMBNAIL, Picture(str(name), str(digest), side)


def _batches(
    copies: Iterable[tuple[CopySize, Picture]],
) -> Iterator[list[tuple[CopySize, Picture]]]:
    iterator = iter(copies)
    while batch := list(islice(iterator, _AT_ONCE)):
        yield batch


def _copy(path: Path, digest: str, size: CopySize) -> bytes:
    """Return the copy of an image as JPEG; a grey one if the image cannot be decoded."""
    try:
        pixels = decode_small(read_unchanged(path, digest), size.side)
    except (OSError, UnreadableImageError):
        pixels = np.full((3, 4, 3), 128, np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, size.quality]
    _, encoded = cv2.imencode(".jpg", _shrink(pixels, size.side), options)
    return encoded.tobytes()


def _shrink(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return an image whose longer side has at most `side` pixels."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _link_or_copy(source: Path, target: Path) -> None:
    """Link a file, which costs no space; copy it where a link is not possible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
