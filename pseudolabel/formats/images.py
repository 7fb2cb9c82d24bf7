"""Image files: what they are called, their sizes as shown, and hashes of their content."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from pseudolabel.errors import Fault
from pseudolabel.files import hash_bytes, inside
from pseudolabel.records import Images, object_array

IMAGES = "images"
"""The folder of a raw root that all image files lie below."""
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
ORIENTATION = 0x0112
"""The EXIF tag of how a camera was held; values from 5 up turn the picture on its side."""


UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises on files that are damaged, no images, or too large to be decoded safely."""


@dataclass(frozen=True)
class ImageFacts:
    """What an image file says of itself: its size as it is shown, and its content's hash."""

    width: int
    height: int
    digest: str


def images_below(folder: Path) -> list[str]:
    """Return the image files below a folder, relative to it, sorted."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())


def check_images(root: Path, file: str, images: Images) -> tuple[Images, list[Fault]]:
    """Return the images with their hashes, and a fault for each file that is not as described.

    A width and height of 0 says nothing: they are taken from the file.
    """
    faults: list[Fault] = []
    hashes = [""] * len(images)
    widths, heights = images.widths.copy(), images.heights.copy()
    facts = look_at(root / IMAGES, list(images.file_names), file)
    for row, fact in enumerate(facts):
        record = f"image id {images.ids[row]} ({images.file_names[row]})"
        if isinstance(fact, Fault):
            faults.append(replace(fact, file=file, record=record))
            continue
        hashes[row] = fact.digest
        widths[row], heights[row] = fact.width, fact.height
        said, found = (images.widths[row], images.heights[row]), (fact.width, fact.height)
        if said not in (found, (0, 0)):
            expected = "the file's width and height, {}x{}".format(*found)
            faults.append(Fault(file, record, expected, "{}x{}".format(*said)))
    images = replace(images, widths=widths, heights=heights, hashes=object_array(hashes))
    return images, faults


def look_at(folder: Path, names: list[str], label: str) -> Iterator[ImageFacts | Fault]:
    """Yield what each file of a folder is, in order, reading several at a time."""
    with ThreadPoolExecutor() as executor:
        facts = executor.map(lambda name: look_at_one(folder, name), names)
        yield from tqdm(facts, desc=f"images of {label}", total=len(names), mininterval=2)


def look_at_one(folder: Path, name: str) -> ImageFacts | Fault:
    """Return the size and hash of one image file, or the fault that keeps it from being used."""
    path = inside(folder, name)
    if path is None:
        return Fault("", "", f"a path inside {IMAGES}/", repr(name))
    if not is_text(name):
        return Fault("", "", "a name in UTF-8", repr(name))
    try:
        content = path.read_bytes()
        with Image.open(path) as image:
            width, height = image.size
            sideways = lies_sideways(image)
    except FileNotFoundError:
        return Fault("", "", "an image file", "no file")
    except UnidentifiedImageError:
        return Fault("", "", "a readable image", "a file of no known image format")
    except UNREADABLE as error:
        return Fault("", "", "a readable image", str(error) or type(error).__name__)
    if sideways:
        width, height = height, width
    return ImageFacts(width, height, hash_bytes(content))


def is_text(name: str) -> bool:
    """Return whether a file's name can be written down: others are bytes in disguise."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def lies_sideways(image: Image.Image) -> bool:
    """Return whether a picture is to be turned on its side when it is shown."""
    # Pillow decodes a whole PNG to look for a tag that hardly any has, and then behind the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return False
    return bool(image.getexif().get(ORIENTATION, 1) >= 5)


def with_8_bits(image: Image.Image) -> Image.Image:
    """Return an image whose darkest and brightest pixel span 8 bits, where it has more than 8.

    Pillow cuts off what is above 255: pictures of 16 bits would all be white.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image, np.float64))
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255 / (high - low) if high > low else 0)
    return Image.fromarray(scaled.round().astype(np.uint8))


def perceptual_hashes(folder: Path, names: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return the 64-bit hash of what each image shows, and the files that cannot be decoded.

    The hash is that of the low frequencies of the image (pHash): images that look alike have hashes
    that differ in few bits.
    """
    found: dict[str, int] = {}
    damaged = []
    with ThreadPoolExecutor() as executor:
        looks = executor.map(lambda name: look_of(folder / name), names)
        progress = tqdm(looks, desc="decoding images", total=len(names), mininterval=2)
        for name, look in zip(names, progress, strict=True):
            if look is None:
                damaged.append(name)
            else:
                found[name] = look
    return found, damaged


def look_of(path: Path) -> int | None:
    """Return the perceptual hash of an image file, None where it cannot be decoded."""
    try:
        with Image.open(path) as image:
            # A JPEG is decoded at an eighth of its size where that is enough.
            image.draft("L", (64, 64))
            bits = imagehash.phash(with_8_bits(image)).hash
    except UNREADABLE:
        return None
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
