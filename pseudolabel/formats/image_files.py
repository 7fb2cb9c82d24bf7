"""Image files: their names, their displayed sizes, and hashes of their content."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pseudolabel.core.bucket import address_of, shown_path
from pseudolabel.core.errors import Fault, PseudolabelError
from pseudolabel.core.files import describe_outside, hash_bytes, path_inside
from pseudolabel.core.image_cache import cached_image, keep_image
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_header import UnreadableImageError, read_header
from pseudolabel.formats.safe_names import describe_file_fault

IMAGES = "images"
"""The folder of a raw root with all image files."""
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


class ChangedImageError(PseudolabelError):
    """An image file is no longer the one that `prepare` read."""


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image file without decoding it.

    Attributes:
        width: the displayed width in pixels.
        height: the displayed height in pixels.
        digest: the hash of its content.
        is_deep: whether a channel has more than 8 bits.
    """

    width: int
    height: int
    digest: str
    is_deep: bool


def list_images(folder: Path) -> list[str]:
    """Return the sorted paths of all image files in a folder and its subfolders, relative to it.

    Files that operating systems and notebooks leave behind are left out.
    """
    found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    paths = (path.relative_to(folder) for path in found if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(map(is_junk, path.parts)))


def is_junk(name: str) -> bool:
    """Return whether a file or folder is one that an operating system or a notebook left behind."""
    return name.startswith(".") or name == "__MACOSX"


def read_image_facts(
    folder: Path, names: list[str], label: str, max_pixels: int | None = None
) -> Iterator[ImageFacts | Fault]:
    """Yield the facts of each image file of a folder, or its fault, in order of the names.

    Args:
        folder: the folder.
        names: paths relative to the folder.
        label: name of the images in the progress bar.
        max_pixels: an image of more pixels cannot be used; None for no limit.
    """
    with ThreadPoolExecutor() as executor:
        facts = executor.map(lambda name: read_image_fact(folder, name, max_pixels), names)
        yield from tqdm(facts, desc=f"images of {label}", total=len(names), mininterval=2)


def read_image_fact(folder: Path, name: str, max_pixels: int | None = None) -> ImageFacts | Fault:
    """Return the facts of one image file, or a fault if the file cannot be used.

    Args:
        folder: the folder.
        name: the path relative to the folder.
        max_pixels: an image of more pixels cannot be used; None for no limit.
    """
    path = path_inside(folder, name)
    if path is None:
        return Fault("", "", f"a path inside {IMAGES}/", describe_outside(folder, name))
    if (expected := describe_file_fault(name)) is not None:
        return Fault("", "", expected, repr(name))
    try:
        content = read_content(path)
        header = read_header(content)
    except FileNotFoundError:
        slashed = path_inside(folder, name.replace("\\", "/"))
        hint = "; it is there with slashes for backslashes, as `check --fix` writes them"
        is_there = slashed is not None and slashed != path and slashed.is_file()
        return Fault("", "", "an image file", "no file" + hint * is_there)
    except (OSError, UnreadableImageError) as error:
        return Fault("", "", "a readable image", str(error) or type(error).__name__)
    fact = ImageFacts(header.width, header.height, hash_bytes(content), header.is_deep)
    return usable_fact(fact, name, max_pixels)


def usable_fact(fact: ImageFacts, name: str, max_pixels: int | None) -> ImageFacts | Fault:
    """Return the facts of an image file, or a fault if its name or its size cannot be used.

    Args:
        fact: the facts.
        name: the path relative to images/.
        max_pixels: an image of more pixels cannot be used; None for no limit.
    """
    if (expected := describe_file_fault(name)) is not None:
        return Fault("", "", expected, repr(name))
    if max_pixels is not None and fact.width * fact.height > max_pixels:
        expected = f"at most {max_pixels:,} pixels (prepare.max_pixels)"
        return Fault("", "", expected, f"{fact.width:,} x {fact.height:,}")
    return fact


def read_unchanged(path: Path, digest: str) -> bytes:
    """Return the content of an image file, if it is still the one that `prepare` read.

    Args:
        path: the file.
        digest: the hash of its content then; empty if it is not known.

    Raises:
        ChangedImageError: the content is another one; it may be that of a test image.
        OSError: the file cannot be read.
        BucketError: it is in a bucket, which cannot be read.
    """
    is_in_bucket = address_of(path) is not None
    if is_in_bucket and (cached := cached_image(digest)) is not None:
        return cached
    content = read_content(path)
    if digest and (found := hash_bytes(content)) != digest:
        raise ChangedImageError(
            f"{shown_path(path)}: expected the image that `prepare` read, content hash {digest}, "
            f"found another one, {found}: restore the file, or run `dvc repro` to prepare again"
        )
    if is_in_bucket and digest:
        keep_image(digest, content)
    return content
