"""An image's class as people write it down: COCO, a CSV of file and label, or a folder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pseudolabel.errors import Fault
from pseudolabel.formats.coco import no_dataset, parse_coco
from pseudolabel.formats.csv_pairs import Pairs, parse_pairs
from pseudolabel.formats.images import IMAGES, images_below
from pseudolabel.formats.shapes import Contract
from pseudolabel.records import Annotations, Category, Dataset, Images


def read_classes(
    root: Path, split: str, categories: tuple[Category, ...] | None
) -> tuple[Dataset, list[Fault]] | None:
    """Return a split's images with one class each, and every fault found; None without the split.

    The first there is counts: <split>.json (COCO), <split>.csv, folders images/<split>/<class>.

    Args:
        root: the raw root.
        split: gold, val or test.
        categories: gold's classes; None to take them, sorted by name, from this split.
    """
    if (root / f"{split}.json").exists():
        dataset, faults = parse_coco(root / f"{split}.json", Contract.CLASS)
        return dataset, [*faults, *one_class_each(dataset, f"{split}.json")]
    if (root / f"{split}.csv").exists():
        pairs, faults = parse_pairs(root / f"{split}.csv", "label")
        if faults:
            return replace(no_dataset(), categories=categories or ()), faults
        return dataset_of(pairs, categories, f"{split}.csv")
    folder = root / IMAGES / split
    if folder.is_dir():
        names = [f"{split}/{name}" for name in images_below(folder)]
        pairs = [(name, name.split("/")[1]) for name in names if name.count("/") > 1]
        return dataset_of(pairs, categories, f"{IMAGES}/{split}")
    return None


def one_class_each(dataset: Dataset, file: str) -> Iterable[Fault]:
    """Yield a fault for every image that has more than one annotation."""
    counts = Counter(dataset.annotations.image_ids.tolist())
    for image_id, count in sorted(counts.items()):
        if count > 1:
            yield Fault(file, f"image id {image_id}", "one annotation, its class", f"{count}")


def dataset_of(
    pairs: Pairs, categories: tuple[Category, ...] | None, file: str
) -> tuple[Dataset, list[Fault]]:
    """Return pairs as a dataset whose images have yet to be measured (width and height 0)."""
    if categories is None:
        names = sorted({label for _, label in pairs})
        categories = tuple(Category(number, name) for number, name in enumerate(names, start=1))
    known = {category.name: category.id for category in categories}
    expected = f"one of gold's classes, {', '.join(known)}"
    faults = [
        Fault(file, name, expected, repr(label)) for name, label in pairs if label not in known
    ]
    if not pairs:
        faults.append(Fault(file, "", "at least one image with its class", "none"))
    if faults:
        return replace(no_dataset(), categories=categories), faults
    count = len(pairs)
    ids = np.arange(1, count + 1)
    images = Images.build(ids.tolist(), [name for name, _ in pairs], [0] * count, [0] * count)
    annotations = Annotations.gold(
        ids.tolist(),
        ids.tolist(),
        [known[label] for _, label in pairs],
        np.full((count, 4), np.nan, np.float32),
        np.full(count, np.nan, np.float32),
        [False] * count,
    )
    return Dataset(images, annotations, categories), []
