"""What is checked across the splits of a raw root: images, categories, no image in two splits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pseudolabel.core.bucket import shown_path
from pseudolabel.core.columns import object_array
from pseudolabel.core.errors import Fault
from pseudolabel.core.records import Category, Dataset, Images
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.manifest.manifest import Manifest
from pseudolabel.raw.reviewed import REVIEWED

LABELLED_SPLITS = ("gold", "val", "test", REVIEWED)


def missing_gold(root: Path) -> Fault:
    """Return the fault of a root without gold.json, with the command that creates the file."""
    found = "none"
    if (root / "gold.csv").exists():
        found = "gold.csv: run `python -m pseudolabel import --from csv`"
    elif any(path.is_dir() for path in (root / IMAGES / "gold").glob("*")):
        found = "folders in images/gold: run `python -m pseudolabel import --from folders`"
    return Fault(shown_path(root), "gold.json", "a COCO file with the gold labels", found)


def check_images(
    manifest: Manifest, file: str, images: Images, deep: list[str], max_pixels: int | None
) -> tuple[Images, list[Fault]]:
    """Return images with their content hashes, and a fault for each unusable image.

    Names of images of more than 8 bits are added to `deep`.
    """
    faults: list[Fault] = []
    hashes = [""] * len(images)
    facts = manifest.usable_facts(list(images.file_names), file, max_pixels)
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


def damaged_images(splits: dict[str, Dataset], damaged: dict[str, str]) -> Iterator[Fault]:
    """Yield a fault for each labelled image that cannot be decoded: what it is instead."""
    for split in LABELLED_SPLITS:
        images = splits[split].images if split in splits else Images.empty()
        for row in np.flatnonzero(np.isin(images.file_names, list(damaged))):
            name = str(images.file_names[row])
            record = f"image id {images.ids[row]} ({name})"
            yield Fault(f"{split}.json", record, "an image that can be decoded", damaged[name])


def differing_categories(splits: dict[str, Dataset]) -> Iterator[Fault]:
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


def shared_images(splits: dict[str, Dataset]) -> Iterator[Fault]:
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
