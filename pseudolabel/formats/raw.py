"""The raw layout: images/, gold and the optional val, test and pool."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pseudolabel.errors import DataError, Fault
from pseudolabel.formats.coco import no_dataset, parse_coco
from pseudolabel.formats.groups import read_groups
from pseudolabel.formats.images import (
    IMAGES,
    ImageFacts,
    check_images,
    images_below,
    look_at,
    perceptual_hashes,
)
from pseudolabel.formats.shapes import Contract
from pseudolabel.records import Category, Dataset, Images

LABELLED = ("gold", "val", "test")

ReadSplit = Callable[[Path, str, tuple[Category, ...] | None], tuple[Dataset, list[Fault]] | None]
"""How a task reads a split (root, name, gold's classes): what it holds and every fault, or None."""


@dataclass(frozen=True)
class RawData:
    """A raw root that passed all checks; every image has its content hash.

    Attributes:
        gold: images to learn from.
        val: images to choose by, None where the root has no val.json.
        test: images to report on, None where the root has no test.json.
        pool: images without labels that count.
        unreadable: files of images/ that no file names and that are no readable image.
        groups: the group of each image that groups.csv gives one.
        looks: the perceptual hash of each image; empty where they were not decoded.
    """

    gold: Dataset
    val: Dataset | None
    test: Dataset | None
    pool: Images
    unreadable: list[str]
    groups: dict[str, str]
    looks: dict[str, int]


def read_coco_split(contract: Contract) -> ReadSplit:
    """Return how to read the splits of a task whose labels are all in COCO files."""

    def read(
        root: Path, split: str, _: tuple[Category, ...] | None
    ) -> tuple[Dataset, list[Fault]] | None:
        path = root / f"{split}.json"
        return parse_coco(path, contract) if path.exists() else None

    return read


def read_raw(root: Path, read_split: ReadSplit, decode: bool = False) -> RawData:
    """Return the raw data of a root.

    Args:
        root: the raw root.
        read_split: reads a labelled split in the way of a task.
        decode: whether to decode all images once, for their looks and to find damaged ones.

    Raises:
        DataError: with every fault in it: of the files' form, of images that are missing,
            unreadable, damaged, of another size or outside images/, of one image in two splits.
    """
    if not (root / IMAGES).is_dir():
        raise DataError([Fault(str(root), IMAGES, "a folder of images", "none")])
    splits, faults = read_splits(root, read_split)
    named = {name for dataset in splits.values() for name in dataset.images.file_names}
    pool, unreadable = (splits["pool"].images, []) if "pool" in splits else scan_pool(root, named)
    groups, wrong = read_groups(root, named | set(pool.file_names))
    faults.extend(wrong)
    looks: dict[str, int] = {}
    if decode:
        # What has no hash could not even be opened: that is a fault already.
        opened = [it.images.file_names[it.images.hashes != ""] for it in splits.values()]
        names = sorted({*np.concatenate([*opened, pool.file_names]).tolist()})
        looks, damaged = perceptual_hashes(root / IMAGES, names)
        faults.extend(damaged_images(splits, damaged))
        sound = ~np.isin(pool.file_names, damaged)
        unreadable = sorted([*unreadable, *pool.file_names[~sound]])
        pool = pool[sound]
    if faults:
        raise DataError(faults)
    val, test = splits.get("val"), splits.get("test")
    return RawData(splits["gold"], val, test, pool, unreadable, groups, looks)


def read_splits(root: Path, read_split: ReadSplit) -> tuple[dict[str, Dataset], list[Fault]]:
    """Return the splits that a root has files for, images with their hashes, and every fault."""
    faults: list[Fault] = []
    splits: dict[str, Dataset] = {}
    for split in LABELLED:
        categories = splits["gold"].categories if "gold" in splits else None
        found = read_split(root, split, categories)
        if found is not None:
            splits[split], wrong = found
            faults.extend(wrong)
        elif split == "gold":
            faults.append(Fault(str(root), "gold", "gold labels, such as gold.json", "none"))
    if (root / "pool.json").exists():
        splits["pool"], wrong = parse_coco(root / "pool.json", Contract.ANY)
        faults.extend(wrong)
    faults.extend(differing_categories(splits))
    faults.extend(shared_images(splits))
    for split, dataset in splits.items():
        images, wrong = check_images(root, f"{split}.json", dataset.images)
        splits[split] = replace(dataset, images=images)
        faults.extend(wrong)
    if "gold" in splits and not len(splits["gold"].images) and not faults:
        faults.append(Fault("gold.json", "images", "at least one image", "none"))
    return splits, faults


def damaged_images(splits: dict[str, Dataset], damaged: list[str]) -> Iterator[Fault]:
    """Yield a fault for every labelled image that cannot be decoded."""
    for split in LABELLED:
        images = splits[split].images if split in splits else no_dataset().images
        for row in np.flatnonzero(np.isin(images.file_names, damaged)):
            record = f"image id {images.ids[row]} ({images.file_names[row]})"
            yield Fault(f"{split}.json", record, "an image that can be decoded", "a damaged file")


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


def scan_pool(root: Path, named: set[str]) -> tuple[Images, list[str]]:
    """Return the images of images/ that no file names, and the files that cannot be read."""
    folder = root / IMAGES
    known = {os.path.normpath(name) for name in named}
    names = [name for name in images_below(folder) if name not in known]
    kept: list[tuple[str, ImageFacts]] = []
    unreadable = []
    for name, fact in zip(names, look_at(folder, names, "the pool"), strict=True):
        if isinstance(fact, Fault):
            unreadable.append(name.encode(errors="backslashreplace").decode())
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
