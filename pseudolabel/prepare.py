"""From the raw layout to data that every later stage can trust."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import write_json, written_aside
from pseudolabel.formats.coco import FILE, no_dataset, write_coco
from pseudolabel.formats.raw import LABELLED, RawData, read_raw
from pseudolabel.records import Annotations, Dataset
from pseudolabel.split import of_images, split_off
from pseudolabel.tasks.task import Task


@dataclass(frozen=True)
class Prepared:
    """The splits, with image ids that are unique across them.

    Attributes:
        splits: gold, val, test and pool; test has no images where the raw data has none.
        report: what was read, split off and taken out, as JSON values.
    """

    splits: dict[str, Dataset]
    report: dict[str, Any]


def prepare(root: Path, output: Path, task: Task, val_share: float, seed: int) -> None:
    """Write the folders gold, val, test and pool, and report.json, into `output`.

    Raises:
        DataError: the raw data has faults; the error lists all of them.
    """
    raw, unlabelled = without_unlabelled(read_raw(root, task.read_split), task)
    prepared = prepare_splits(raw, val_share, np.random.default_rng(seed))
    report = prepared.report | {"images_without_labels": unlabelled}
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        for split, dataset in prepared.splits.items():
            if split in LABELLED:
                dataset = task.write_labels(root, dataset, aside / split)  # noqa: PLW2901
            write_coco(aside / split / FILE, dataset)
        write_json(aside / "report.json", report)
    for name in prepared.report["classes_without_gold"]:
        print(f"warning: no gold label is of the class {name!r}: it will not be learnt")


def without_unlabelled(raw: RawData, task: Task) -> tuple[RawData, dict[str, list[str]]]:
    """Return the raw data, and its images without any label by split.

    They are taken out where they say nothing; objects' tasks learn from them what is background.
    """
    kept: dict[str, Any] = {}
    names: dict[str, list[str]] = {}
    for split in LABELLED:
        dataset = getattr(raw, split)
        if dataset is not None:
            labelled = np.isin(dataset.images.ids, dataset.annotations.image_ids)
            names[split] = sorted(dataset.images.file_names[~labelled])
            kept[split] = dataset if task.empty_counts else of_images(dataset, labelled)
    return replace(raw, **kept), names


def prepare_splits(raw: RawData, val_share: float, rng: np.random.Generator) -> Prepared:
    """Return the four splits: val split off gold where there is none, no image in two of them."""
    gold, val = (raw.gold, raw.val) if raw.val else split_off(raw.gold, val_share, rng)
    nothing = replace(no_dataset(), categories=gold.categories)
    pool = Dataset(raw.pool, Annotations.empty(), gold.categories)
    splits = {"test": raw.test or nothing, "val": val, "gold": gold, "pool": pool}
    splits, taken = without_copies(splits)
    faults = [
        Fault(split, "", "at least one image that no other split has", "none")
        for split in ("val", "gold", "pool")
        if not len(splits[split].images)
    ]
    if faults:
        raise DataError(faults)
    splits = with_shared_ids(splits)
    report = {
        "images": {split: len(dataset.images) for split, dataset in splits.items()},
        "annotations": {split: len(dataset.annotations) for split, dataset in splits.items()},
        "val_split_off_gold": raw.val is None,
        "copies_taken_out": taken,
        "unreadable": raw.unreadable,
        "classes_without_gold": classes_without_gold(splits["gold"]),
    }
    return Prepared(splits, report)


def classes_without_gold(gold: Dataset) -> list[str]:
    """Return the names of the classes that no gold annotation has."""
    found = set(gold.annotations.category_ids.tolist())
    return [category.name for category in gold.categories if category.id not in found]


def without_copies(
    splits: dict[str, Dataset],
) -> tuple[dict[str, Dataset], dict[str, list[str]]]:
    """Return the splits without images that an earlier split has, and the names of those images.

    The same file name or the same content makes a copy. Test comes first, then val: what is
    measured on must not be trained on, so the copy that goes is the one in gold or in the pool.
    """
    names: set[str] = set()
    hashes: set[str] = set()
    kept, taken = {}, {}
    for split, dataset in splits.items():
        images = dataset.images
        copy = np.array(
            [
                name in names or digest in hashes
                for name, digest in zip(images.file_names, images.hashes, strict=True)
            ],
            bool,
        )
        kept[split] = of_images(dataset, ~copy)
        taken[split] = sorted(images.file_names[copy])
        names.update(images.file_names)
        hashes.update(images.hashes)
    return kept, taken


def with_shared_ids(datasets: dict[str, Dataset]) -> dict[str, Dataset]:
    """Return the splits with image ids counted over all their files in order of file name."""
    names = sorted(name for dataset in datasets.values() for name in dataset.images.file_names)
    number = {name: index for index, name in enumerate(names, start=1)}
    numbered = {}
    for split, dataset in datasets.items():
        images, annotations = dataset.images, dataset.annotations
        new_ids = np.array([number[name] for name in images.file_names], np.int64)
        order = np.argsort(images.ids, kind="stable")
        at = order[np.searchsorted(images.ids[order], annotations.image_ids)]
        annotations = replace(annotations, image_ids=new_ids[at])
        images = replace(images, ids=new_ids)[np.argsort(new_ids)]
        by_image = np.lexsort((annotations.ids, annotations.image_ids))
        numbered[split] = Dataset(images, annotations[by_image], dataset.categories)
    return numbered
