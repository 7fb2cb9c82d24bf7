"""Small copies of images: written once, and taken over if they are those of the report before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.files import written_aside
from pseudolabel.core.records import Images
from pseudolabel.formats.image_decoder import decode_small
from pseudolabel.formats.image_files import read_unchanged
from pseudolabel.formats.image_header import UnreadableImageError

_SIDE = 400
"""Pixels of the longer side, at most."""
_QUALITY = 75
THUMBNAILS = f"thumbs/{_SIDE}-{_QUALITY}"
"""The folder in the report: size and quality are in its name, because thumbnails
of another size must not be taken for these."""
_AT_ONCE = 256
"""Images that wait for a free thread: more would fill the memory with their names."""

Picture = tuple[str, str]
"""The name of an image file and its content hash."""


def _thumbnail_path(folder: Path, digest: str) -> Path:
    """Return the path of an image's thumbnail below a folder: equal images share one."""
    return folder / THUMBNAILS / digest[:2] / f"{digest}.jpg"


def write_thumbnails(
    pictures: Iterable[Picture], images: Path, report: Path, scratch: Path
) -> None:
    """Write the thumbnails of images into a report.

    Args:
        pictures: the images; each may occur several times.
        images: the image folder of the raw root.
        report: the report to write to.
        scratch: a folder outside of DVC's outputs with the thumbnails of the report before. It has
            those of this report afterwards.

    Raises:
        ChangedImageError: an image is no longer the one that `prepare` read.
    """
    with written_aside(scratch) as fresh, ThreadPoolExecutor() as executor:
        fresh.mkdir(parents=True)

        def write_one(picture: Picture) -> None:
            name, digest = picture
            path, kept = (_thumbnail_path(folder, digest) for folder in (report, fresh))
            if path.is_file():
                return
            for folder in (path.parent, kept.parent):
                folder.mkdir(parents=True, exist_ok=True)
            existing = _thumbnail_path(scratch, digest)
            if existing.is_file():
                link_or_copy(existing, kept)
            else:
                kept.write_bytes(_thumbnail(images / name, digest))
            link_or_copy(kept, path)

        for batch in _batches(pictures):
            # Twice the same image in two threads would be written twice at once.
            list(executor.map(write_one, dict.fromkeys(batch)))


def pictures_of(images: Images, label: str) -> Iterator[Picture]:
    """Yield the name and the hash of each image, with a progress bar."""
    pairs = zip(images.file_names, images.hashes, strict=True)
    for name, digest in tqdm(pairs, f"thumbnails of {label}", len(images), mininterval=2):
        yield str(name), str(digest)


def _batches(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    iterator = iter(pictures)
    while batch := list(islice(iterator, _AT_ONCE)):
        yield batch


def _thumbnail(path: Path, digest: str) -> bytes:
    """Return the thumbnail of an image as JPEG; a grey one if the image cannot be decoded."""
    try:
        pixels = decode_small(read_unchanged(path, digest), _SIDE)
    except (OSError, UnreadableImageError):
        pixels = np.full((3, 4, 3), 128, np.uint8)
    _, encoded = cv2.imencode(".jpg", _shrink(pixels), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def _shrink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image whose longer side has at most _SIDE pixels."""
    height, width = pixels.shape[:2]
    factor = _SIDE / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def link_or_copy(source: Path, target: Path) -> None:
    """Link a file, which costs no space; copy it where a link is not possible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
