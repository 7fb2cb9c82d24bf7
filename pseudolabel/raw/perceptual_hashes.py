"""Perceptual hashes of images (pHash), to find near-duplicates, also mirrored and turned ones."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from tqdm import tqdm

from pseudolabel.formats.image_decoder import decode_small
from pseudolabel.formats.image_files import read_unchanged
from pseudolabel.formats.image_header import UnreadableImageError, read_header

_SIDE = 64
"""A JPEG is decoded at the smallest size at which its sides keep this many pixels."""
_RESIZED, _FREQUENCIES = 32, 8
"""Sides of the grey picture that is hashed, and of the low frequencies that are kept of it."""

_LARGE_IMAGE = 20_000_000
"""Pixels from which images are decoded one at a time, to limit the memory."""
_ONE_LARGE_IMAGE = Lock()

Hashes = tuple[int, ...]
"""The 64-bit hashes of an image: as it is shown, then mirrored and turned in the 7 other ways."""


def perceptual_hashes(
    folder: Path, names: list[str], digests: Mapping[str, str] | None = None
) -> tuple[dict[str, Hashes], dict[str, str]]:
    """Return the perceptual hashes of each image; and what each other file is instead.

    pHash encodes the low frequencies of an image: similar images have hashes that differ in few
    bits. If one is mirrored or turned, its hash as shown is near one of the other's 8 hashes.

    Args:
        folder: the folder of the images.
        names: paths relative to the folder.
        digests: the content hash of each image; None if they are not known.

    Raises:
        ChangedImageError: an image has another content hash.
    """
    known = digests or {}
    found: dict[str, Hashes] = {}
    damaged: dict[str, str] = {}
    with ThreadPoolExecutor() as executor:
        hashes = executor.map(
            lambda name: _hashes_of_file(folder / name, known.get(name, "")), names
        )
        progress = tqdm(hashes, desc="decoding images", total=len(names), mininterval=2)
        for name, of_file in zip(names, progress, strict=True):
            if isinstance(of_file, str):
                damaged[name] = of_file
            else:
                found[name] = of_file
    return found, damaged


def _hashes_of_file(path: Path, digest: str) -> Hashes | str:
    """Return the perceptual hashes of an image file; why, if the file cannot be decoded."""
    try:
        content = read_unchanged(path, digest)
        header = read_header(content)
        is_large = header.width * header.height > _LARGE_IMAGE
        with _ONE_LARGE_IMAGE if is_large else nullcontext():
            pixels = decode_small(content, _SIDE)
    except (OSError, UnreadableImageError) as error:
        return str(error) or type(error).__name__
    grey = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    small = grey.resize((_RESIZED, _RESIZED), Image.Resampling.LANCZOS)
    low = dctn(np.asarray(small, np.float64))[:_FREQUENCIES, :_FREQUENCIES]
    # Mirroring changes the signs of odd frequencies. So no turned picture has to be transformed.
    signs = (-1.0) ** np.arange(_FREQUENCIES)
    mirrored = [low, low * signs, low * signs[:, None], low * signs * signs[:, None]]
    return tuple(map(_bits, [*mirrored, *(one.T for one in mirrored)]))


def _bits(low: NDArray[np.float64]) -> int:
    """Return a bit for each low frequency: whether it is above their median."""
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
