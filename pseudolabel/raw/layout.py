"""The raw layout: images/, gold.json, and optionally val.json, test.json and pool.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Dataset, Images
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.manifest.manifest import FILES, Manifest, read_manifest, require_folders
from pseudolabel.raw.groups import read_groups
from pseudolabel.raw.kept_hashes import HASHES, kept_perceptual_hashes
from pseudolabel.raw.perceptual_hashes import Hashes
from pseudolabel.raw.pool import links_outside, scan_pool
from pseudolabel.raw.reviewed import REVIEWED, Review, read_reviews
from pseudolabel.raw.split_checks import (
    LABELLED_SPLITS,
    check_images,
    damaged_images,
    differing_categories,
    missing_gold,
    shared_images,
)

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


def read_raw(
    root: Path,
    read_split: SplitReader,
    hashes: bool = False,
    max_pixels: int | None = None,
    reviews: Path | None = None,
    kept: Path | None = None,
) -> RawData:
    """Return the raw data of a root.

    Labelled images are always decoded: training must not meet one that cannot be loaded.

    Args:
        root: the raw root.
        read_split: the task's reader of a labelled split.
        hashes: whether to decode the pool, too, and to return perceptual hashes.
        max_pixels: an image of more pixels is a fault, or left out of the pool; None for no limit.
        reviews: the folder that may have a reviewed.json about images of the root.
        kept: the folder with what is known of unchanged images; None to read all, and keep nothing.

    Raises:
        DataError: the root has faults. The error lists all of them: invalid files; images that are
            missing, unreadable, damaged, of another size or outside images/; an image in two
            splits.
    """
    require_folders(root)
    deep: list[str] = []
    manifest = read_manifest(root, kept and kept / FILES)
    splits, faults = _read_splits(manifest, read_split, deep, max_pixels, reviews)
    named = {name for dataset in splits.values() for name in dataset.images.file_names}
    reviewed_by, review_faults = read_reviews(reviews)
    faults.extend(review_faults)
    pool, unreadable, pool_faults = _read_pool(manifest, splits, named, deep, max_pixels)
    faults.extend(pool_faults)
    # A review changes no other file: a list of the pool may still name its images.
    pool = pool[~np.isin(pool.file_names, list(reviewed_by))]
    groups, group_faults = read_groups(root, named | set(pool.file_names))
    faults.extend(group_faults)
    # Images without a content hash could not be opened: their faults are listed already.
    labelled = [splits[split].images for split in LABELLED_SPLITS if split in splits]
    decoded = _content_hashes([*labelled, pool] if hashes else labelled)
    found, damaged = kept_perceptual_hashes(root / IMAGES, decoded, kept and kept / HASHES)
    faults.extend(damaged_images(splits, damaged))
    intact = ~np.isin(pool.file_names, list(damaged))
    unreadable = sorted([*unreadable, *pool.file_names[~intact]])
    if faults:
        raise DataError(faults)
    val, test, reviewed = (splits.get(name) for name in ("val", "test", REVIEWED))
    labels = (splits["gold"], val, test, reviewed, reviewed_by)
    return RawData(*labels, pool[intact], unreadable, sorted(deep), groups, found if hashes else {})


def _content_hashes(parts: Iterable[Images]) -> dict[str, str]:
    """Return the content hash of each image that could be opened, sorted by name."""
    hashes = {
        name: digest
        for images in parts
        for name, digest in zip(images.file_names, images.hashes, strict=True)
        if digest
    }
    return dict(sorted(hashes.items()))


def _read_pool(
    manifest: Manifest,
    splits: dict[str, Dataset],
    named: set[str],
    deep: list[str],
    max_pixels: int | None,
) -> tuple[Images, list[str], list[Fault]]:
    """Return the images of the pool, the files that cannot be read, and all faults."""
    if "pool" in splits:
        return splits["pool"].images, [], []
    pool, unreadable = scan_pool(manifest, named, deep, max_pixels)
    return pool, unreadable, list(links_outside(manifest.root, unreadable))


def _read_splits(
    manifest: Manifest,
    read_split: SplitReader,
    deep: list[str],
    max_pixels: int | None,
    reviews: Path | None,
) -> tuple[dict[str, Dataset], list[Fault]]:
    """Return the splits of a root, with the content hashes of their images, and all faults.

    Names of images of more than 8 bits are added to `deep`.
    """
    root = manifest.root
    faults: list[Fault] = []
    splits: dict[str, Dataset] = {}
    for split in LABELLED_SPLITS:
        folder = reviews if split == REVIEWED else root
        content = read_split(folder, split) if folder is not None else None
        if content is not None:
            splits[split], split_faults = content
            faults.extend(split_faults)
        elif split == "gold":
            faults.append(missing_gold(root))
    if (root / "pool.json").exists():
        splits["pool"], split_faults = parse_coco(root / "pool.json", Contract.ANY)
        faults.extend(split_faults)
    faults.extend(differing_categories(splits))
    faults.extend(shared_images(splits))
    for split, dataset in splits.items():
        images, image_faults = check_images(
            manifest, f"{split}.json", dataset.images, deep, max_pixels
        )
        splits[split] = replace(dataset, images=images)
        faults.extend(image_faults)
    if "gold" in splits and not len(splits["gold"].images) and not faults:
        faults.append(Fault("gold.json", "images", "at least one image", "none"))
    return splits, faults
