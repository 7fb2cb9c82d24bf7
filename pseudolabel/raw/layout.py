"""The raw layout: images/, gold.json, and optionally val.json, test.json and pool.json."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pseudolabel.core.columns import object_array
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Category, Dataset, Images
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.formats.image_files import IMAGES, read_image_facts
from pseudolabel.raw.groups import read_groups
from pseudolabel.raw.perceptual_hashes import Hashes, perceptual_hashes
from pseudolabel.raw.pool import links_outside, scan_pool
from pseudolabel.raw.reviewed import REVIEWED, Review, read_reviews

LABELLED_SPLITS = ("gold", "val", "test", REVIEWED)

SplitReader = Callable[[Path, str], tuple[Dataset, list[Fault]] | None]
"""Reads a split (raw root, name) and lists all faults; None if the root has no such split."""
SplitWriter = Callable[[Path, Dataset, Path], Dataset]
"""Writes the files beside a split's COCO file (raw root, split, folder), and returns the split."""


@dataclass(frozen=True)
class RawData:
    """A raw root that passed all checks; every image has its content hash.

    Attributes:
        gold: labelled images for training.
        val: labelled images for choosing models; None if there is no val.json.
        test: labelled images for the final scores; None if there is no test.json.
        reviewed: images of the pool whose labels a person confirmed or corrected; None if there is
            no reviewed.json.
        reviews: who reviewed each of them, and in which round.
        pool: images to pseudo-label.
        unreadable: files of the pool that are no readable image.
        deep: files with more than 8 bits per channel, which are stretched to 8.
        groups: the group of each image in groups.csv.
        perceptual_hashes: the hashes of each image; empty if they were not asked for.
    """

    gold: Dataset
    val: Dataset | None
    test: Dataset | None
    reviewed: Dataset | None
    reviews: dict[str, Review]
    pool: Images
    unreadable: list[str]
    deep: list[str]
    groups: dict[str, str]
    perceptual_hashes: dict[str, Hashes]


def labels_in_coco_file(_: Path, dataset: Dataset, __: Path) -> Dataset:
    """Return the split unchanged: all its labels are in its COCO file."""
    return dataset


def require_folders(root: Path) -> None:
    """Raise DataError if there is no such raw root, or if it has no images/."""
    if not root.is_dir():
        raise DataError([Fault(str(root), "", "a folder of raw data", "none")])
    if not (root / IMAGES).is_dir():
        raise DataError([Fault(str(root), IMAGES, "a folder of images", "none")])


def read_raw(
    root: Path,
    read_split: SplitReader,
    hashes: bool = False,
    max_pixels: int | None = None,
    reviews: Path | None = None,
) -> RawData:
    """Return the raw data of a root.

    Labelled images are always decoded: training must not meet one that cannot be loaded.

    Args:
        root: the raw root.
        read_split: the task's reader of a labelled split.
        hashes: whether to decode the pool, too, and to return perceptual hashes.
        max_pixels: an image of more pixels is a fault, or left out of the pool; None for no limit.
        reviews: the folder that may have a reviewed.json about images of the root.

    Raises:
        DataError: the root has faults. The error lists all of them: invalid files; images that are
            missing, unreadable, damaged, of another size or outside images/; an image in two
            splits.
    """
    require_folders(root)
    deep: list[str] = []
    splits, faults = _read_splits(root, read_split, deep, max_pixels, reviews)
    named = {name for dataset in splits.values() for name in dataset.images.file_names}
    reviewed_by, review_faults = read_reviews(reviews)
    faults.extend(review_faults)
    pool, unreadable, pool_faults = _read_pool(root, splits, named, deep, max_pixels)
    faults.extend(pool_faults)
    # A review changes no other file: a list of the pool may still name its images.
    pool = pool[~np.isin(pool.file_names, list(reviewed_by))]
    groups, group_faults = read_groups(root, named | set(pool.file_names))
    faults.extend(group_faults)
    # Images without a content hash could not be opened: their faults are listed already.
    labelled = [splits[split].images for split in LABELLED_SPLITS if split in splits]
    decoded = [images.file_names[images.hashes != ""] for images in labelled]
    decoded += [pool.file_names[pool.hashes != ""]] if hashes else []
    names = sorted({name for part in decoded for name in part})
    found, damaged = perceptual_hashes(root / IMAGES, names)
    faults.extend(_damaged_images(splits, damaged))
    intact = ~np.isin(pool.file_names, list(damaged))
    unreadable = sorted([*unreadable, *pool.file_names[~intact]])
    if faults:
        raise DataError(faults)
    val, test, reviewed = (splits.get(name) for name in ("val", "test", REVIEWED))
    labels = (splits["gold"], val, test, reviewed, reviewed_by)
    return RawData(*labels, pool[intact], unreadable, sorted(deep), groups, found if hashes else {})


def _read_pool(
    root: Path,
    splits: dict[str, Dataset],
    named: set[str],
    deep: list[str],
    max_pixels: int | None,
) -> tuple[Images, list[str], list[Fault]]:
    """Return the images of the pool, the files that cannot be read, and all faults."""
    if "pool" in splits:
        return splits["pool"].images, [], []
    pool, unreadable = scan_pool(root, named, deep, max_pixels)
    return pool, unreadable, list(links_outside(root, unreadable))


def _read_splits(
    root: Path,
    read_split: SplitReader,
    deep: list[str],
    max_pixels: int | None,
    reviews: Path | None,
) -> tuple[dict[str, Dataset], list[Fault]]:
    """Return the splits of a root, with the content hashes of their images, and all faults.

    Names of images of more than 8 bits are added to `deep`.
    """
    faults: list[Fault] = []
    splits: dict[str, Dataset] = {}
    for split in LABELLED_SPLITS:
        folder = reviews if split == REVIEWED else root
        content = read_split(folder, split) if folder is not None else None
        if content is not None:
            splits[split], split_faults = content
            faults.extend(split_faults)
        elif split == "gold":
            faults.append(_missing_gold(root))
    if (root / "pool.json").exists():
        splits["pool"], split_faults = parse_coco(root / "pool.json", Contract.ANY)
        faults.extend(split_faults)
    faults.extend(_differing_categories(splits))
    faults.extend(_shared_images(splits))
    for split, dataset in splits.items():
        images, image_faults = _check_images(
            root, f"{split}.json", dataset.images, deep, max_pixels
        )
        splits[split] = replace(dataset, images=images)
        faults.extend(image_faults)
    if "gold" in splits and not len(splits["gold"].images) and not faults:
        faults.append(Fault("gold.json", "images", "at least one image", "none"))
    return splits, faults


def _missing_gold(root: Path) -> Fault:
    """Return the fault of a root without gold.json, with the command that creates the file."""
    found = "none"
    if (root / "gold.csv").exists():
        found = "gold.csv: run `python -m pseudolabel import --from csv`"
    elif any(path.is_dir() for path in (root / IMAGES / "gold").glob("*")):
        found = "folders in images/gold: run `python -m pseudolabel import --from folders`"
    return Fault(str(root), "gold.json", "a COCO file with the gold labels", found)


def _check_images(
    root: Path, file: str, images: Images, deep: list[str], max_pixels: int | None
) -> tuple[Images, list[Fault]]:
    """Return images with their content hashes, and a fault for each unusable image.

    Names of images of more than 8 bits are added to `deep`.
    """
    faults: list[Fault] = []
    hashes = [""] * len(images)
    facts = read_image_facts(root / IMAGES, list(images.file_names), file, max_pixels)
    for row, fact in enumerate(facts):
        record = f"image id {images.ids[row]} ({images.file_names[row]})"
        if isinstance(fact, Fault):
            faults.append(replace(fact, file=file, record=record))
            continue
        hashes[row] = fact.digest
        deep += [str(images.file_names[row])] if fact.is_deep else []
        stated = int(images.widths[row]), int(images.heights[row])
        if stated != (fact.width, fact.height):
            expected = f"the file's width and height, {fact.width}x{fact.height}"
            faults.append(Fault(file, record, expected, f"{stated[0]}x{stated[1]}"))
    return replace(images, hashes=object_array(hashes)), faults


def _damaged_images(splits: dict[str, Dataset], damaged: dict[str, str]) -> Iterator[Fault]:
    """Yield a fault for each labelled image that cannot be decoded: what it is instead."""
    for split in LABELLED_SPLITS:
        images = splits[split].images if split in splits else Images.empty()
        for row in np.flatnonzero(np.isin(images.file_names, list(damaged))):
            name = str(images.file_names[row])
            record = f"image id {images.ids[row]} ({name})"
            yield Fault(f"{split}.json", record, "an image that can be decoded", damaged[name])


def _differing_categories(splits: dict[str, Dataset]) -> Iterator[Fault]:
    """Yield a fault for each split whose categories are not those of gold."""
    gold = splits.get("gold", Dataset.empty()).categories
    for split in LABELLED_SPLITS:
        if split in splits and splits[split].categories != gold:
            expected = f"the categories of gold.json, {_describe(gold)}"
            found = _describe(splits[split].categories)
            yield Fault(f"{split}.json", "categories", expected, found)


def _describe(categories: Iterable[Category]) -> str:
    """Return categories as `1 disc, 2 rod`."""
    return ", ".join(f"{category.id} {category.name}" for category in categories) or "none"


def _shared_images(splits: dict[str, Dataset]) -> Iterator[Fault]:
    """Yield a fault for each image that is in two labelled splits."""
    owners: dict[str, str] = {}
    for split in LABELLED_SPLITS:
        if split not in splits:
            continue
        for name in splits[split].images.file_names:
            path = os.path.normpath(name)
            if path in owners:
                found = f"one that is also in {owners[path]}.json"
                yield Fault(f"{split}.json", f"image {name!r}", "an image of one split", found)
            owners.setdefault(path, split)
