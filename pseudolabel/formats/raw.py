"""The raw layout: images/, gold.json and the optional val.json, test.json and pool.json."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import hash_bytes, inside
from pseudolabel.formats.coco import no_dataset, parse_coco
from pseudolabel.records import Category, Dataset, Images, object_array

IMAGES = "images"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
LABELLED = ("gold", "val", "test")
ORIENTATION = 0x0112
"""The EXIF tag of how a camera was held; values from 5 up turn the picture on its side."""


@dataclass(frozen=True)
class RawData:
    """A raw root that passed all checks; every image has its content hash.

    Attributes:
        gold: images to learn from.
        val: images to choose by, None where the root has no val.json.
        test: images to report on, None where the root has no test.json.
        pool: images without labels that count.
        unreadable: files of images/ that no file names and that are no readable image.
    """

    gold: Dataset
    val: Dataset | None
    test: Dataset | None
    pool: Images
    unreadable: list[str]


@dataclass(frozen=True)
class ImageFacts:
    """What an image file says of itself: its size as it is shown, and its content's hash."""

    width: int
    height: int
    digest: str


def read_raw(root: Path) -> RawData:
    """Return the raw data of a root.

    Raises:
        DataError: with every fault in it: of the files' form, of images that are missing,
            unreadable, of another size or outside images/, of one image in two splits.
    """
    if not (root / IMAGES).is_dir():
        raise DataError([Fault(str(root), IMAGES, "a folder of images", "none")])
    faults: list[Fault] = []
    splits: dict[str, Dataset] = {}
    for split in (*LABELLED, "pool"):
        path = root / f"{split}.json"
        if path.exists() or split == "gold":
            splits[split], found = parse_coco(path)
            faults.extend(found)
    faults.extend(differing_categories(splits))
    faults.extend(shared_images(splits))
    for split, dataset in splits.items():
        images, found = check_images(root, f"{split}.json", dataset.images)
        splits[split] = replace(dataset, images=images)
        faults.extend(found)
    if not len(splits["gold"].images) and not faults:
        faults.append(Fault("gold.json", "images", "at least one image", "none"))
    if faults:
        raise DataError(faults)
    named = {name for dataset in splits.values() for name in dataset.images.file_names}
    pool, unreadable = (splits["pool"].images, []) if "pool" in splits else scan_pool(root, named)
    return RawData(splits["gold"], splits.get("val"), splits.get("test"), pool, unreadable)


def differing_categories(splits: dict[str, Dataset]) -> Iterator[Fault]:
    """Yield a fault for every split whose categories are not gold's."""
    gold = splits.get("gold", no_dataset()).categories
    for split in ("val", "test"):
        if split in splits and splits[split].categories != gold:
            expected = f"gold.json's {describe(gold)}"
            found = describe(splits[split].categories)
            yield Fault(f"{split}.json", "categories", expected, found)


def describe(categories: Iterable[Category]) -> str:
    """Return categories as `1 disc, 2 rod`."""
    return ", ".join(f"{category.id} {category.name}" for category in categories) or "none"


def shared_images(splits: dict[str, Dataset]) -> Iterator[Fault]:
    """Yield a fault for every image that two labelled splits name."""
    owners: dict[str, str] = {}
    for split in LABELLED:
        if split not in splits:
            continue
        for name in splits[split].images.file_names:
            key = os.path.normpath(name)
            if key in owners:
                found = f"one that {owners[key]}.json has too"
                yield Fault(f"{split}.json", f"image {name!r}", "an image of its own", found)
            owners.setdefault(key, split)


def check_images(root: Path, file: str, images: Images) -> tuple[Images, list[Fault]]:
    """Return the images with their hashes, and a fault for each file that is not as described."""
    faults: list[Fault] = []
    hashes = [""] * len(images)
    facts = look_at(root / IMAGES, list(images.file_names), file)
    for row, fact in enumerate(facts):
        record = f"image id {images.ids[row]} ({images.file_names[row]})"
        if isinstance(fact, Fault):
            faults.append(replace(fact, file=file, record=record))
            continue
        hashes[row] = fact.digest
        said, found = (images.widths[row], images.heights[row]), (fact.width, fact.height)
        if said != found:
            expected = "the file's width and height, {}x{}".format(*found)
            faults.append(Fault(file, record, expected, "{}x{}".format(*said)))
    return replace(images, hashes=object_array(hashes)), faults


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
    try:
        content = path.read_bytes()
        with Image.open(path) as image:
            width, height = image.size
            sideways = image.getexif().get(ORIENTATION, 1) >= 5
    except FileNotFoundError:
        return Fault("", "", "an image file", "no file")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Fault("", "", "a readable image", str(error) or type(error).__name__)
    if sideways:
        width, height = height, width
    return ImageFacts(width, height, hash_bytes(content))


def scan_pool(root: Path, named: set[str]) -> tuple[Images, list[str]]:
    """Return the images of images/ that no file names, and the files that cannot be read."""
    folder = root / IMAGES
    known = {os.path.normpath(name) for name in named}
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())
    names = [name for name in names if name not in known]
    kept: list[tuple[str, ImageFacts]] = []
    unreadable = []
    for name, fact in zip(names, look_at(folder, names, "the pool"), strict=True):
        if isinstance(fact, Fault):
            unreadable.append(name)
        else:
            kept.append((name, fact))
    images = Images.build(
        np.arange(1, len(kept) + 1).tolist(),
        [name for name, _ in kept],
        [fact.width for _, fact in kept],
        [fact.height for _, fact in kept],
        [fact.digest for _, fact in kept],
    )
    return images, unreadable
