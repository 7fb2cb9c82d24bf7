"""From the raw layout to data that every later stage can trust."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.data_report import largest_deviation, write_report
from pseudolabel.datasets import MEASURED_ON, TUNING, joined, of_images, with_shared_ids
from pseudolabel.errors import DataError, Fault
from pseudolabel.files import write_json, written_aside
from pseudolabel.formats.coco import FILE, no_dataset, write_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.formats.raw import LABELLED, RawData, read_raw
from pseudolabel.leaks import Likeness, Twin, refuse_leaks
from pseudolabel.params.sections import Prepare
from pseudolabel.records import Annotations, Dataset, Images
from pseudolabel.split import assign_parts
from pseudolabel.tasks.task import Task

FEW_NAMES = 10
"""Classes that a warning names; report.json has all."""
MANY = 0.1
"""Share of a split, as near-duplicates that left it, from which on a warning is due."""
HELD_OUT = "held_out"
"""The split of a fold of gold; without a val in the raw data, val and tuning are its parts."""
TRAINED_ON = "gold", "pool"


@dataclass(frozen=True)
class Prepared:
    """The splits, with image ids that are unique across them.

    Attributes:
        splits: gold, val, tuning, test and pool; test and tuning may have no images. With folds
            there is also held_out, the fold not to learn from.
        report: what was read, split off and taken out, as JSON values.
    """

    splits: dict[str, Dataset]
    report: dict[str, Any]


def prepare(root: Path, output: Path, task: Task, section: Prepare, seed: int) -> None:
    """Write a folder for each split, and report.json, into `output`.

    Args:
        root: the raw root.
        output: the folder to write.
        task: how labels are read and written.
        section: how gold is split and what counts as a near-duplicate.
        seed: of the split.

    Raises:
        DataError: the raw data has faults; the error lists all of them.
    """
    prepared = read_and_split(root, task, section, seed)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        written = {}
        for split, dataset in prepared.splits.items():
            folder = aside / split
            written[split] = (
                dataset if split == "pool" else task.write_labels(root, dataset, folder)
            )
            write_coco(folder / FILE, written[split])
        write_json(aside / "report.json", prepared.report)
        write_report(aside, root / IMAGES, written, prepared.report)
    for line in said_of_twins(prepared.report):
        print(line)
    if prepared.report["classes_without_gold"]:
        print(f"warning: {said_of_missing(prepared.report)}: what has none is not learnt")


def read_and_split(root: Path, task: Task, section: Prepare, seed: int) -> Prepared:
    """Return a raw root as checked splits.

    Raises:
        DataError: the raw data has faults; the error lists all of them.
    """
    distance = section.duplicate_distance
    raw = read_raw(root, task.read_split, decode=distance is not None)
    raw, unlabelled = without_unlabelled(raw, task)
    likeness = Likeness(raw.looks, raw.groups, distance or 0)
    prepared = prepare_splits(raw, likeness, section, seed)
    return replace(prepared, report=prepared.report | {"images_without_labels": unlabelled})


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


def prepare_splits(raw: RawData, likeness: Likeness, section: Prepare, seed: int) -> Prepared:
    """Return the splits, val split off gold where it is to be, without twins across them."""
    rng = np.random.default_rng(seed)
    gold = raw.gold
    test = raw.test or replace(no_dataset(), categories=raw.gold.categories)
    taken: list[Twin] = []
    measured = {"test": test}
    if raw.val is not None:
        measured["val"] = without_twins(raw.val, "val", {"test": test}, likeness, taken)
    gold = without_twins(gold, "gold", measured, likeness, taken)
    if raw.val is None or section.folds is not None:
        gold, part = split_off(gold, likeness, section, rng)
        if raw.val is None:
            measured["val"] = part
        if section.folds is not None:
            measured[HELD_OUT] = part
    measured |= val_in_two(measured["val"], likeness, section.tuning_share, seed)
    pool = Dataset(raw.pool, Annotations.empty(), gold.categories)
    pool = without_twins(pool, "pool", measured, likeness, taken)
    pool = without_twins(pool, "pool", {"gold": gold}, Likeness({}, {}, 0), taken)
    if section.transductive:
        unlabelled = Dataset(test.images, Annotations.empty(), test.categories)
        pool = joined(pool, unlabelled)
    splits = measured | {"gold": gold, "pool": pool}
    faults = [
        Fault(split, "", "at least one image that no other split has", emptied(split, taken))
        for split in ("val", "gold", "pool")
        if not len(splits[split].images)
    ]
    if faults:
        raise DataError(faults)
    splits = with_shared_ids(splits)
    refuse_shared(splits, section.transductive)
    report = {
        "images": {split: len(dataset.images) for split, dataset in splits.items()},
        "annotations": {split: len(dataset.annotations) for split, dataset in splits.items()},
        "val_split_off_gold": raw.val is None,
        "fold": None if section.folds is None else [section.fold, section.folds],
        "transductive": section.transductive,
        "taken_out": [twin.row() for twin in taken],
        "unreadable": raw.unreadable,
        "classes_without_gold": classes_without_gold(splits["gold"]),
        "largest_deviation": largest_deviation(
            {split: it for split, it in splits.items() if split != "pool"}
        ),
    }
    return Prepared(splits, report)


def split_off(
    gold: Dataset, likeness: Likeness, section: Prepare, rng: np.random.Generator
) -> tuple[Dataset, Dataset]:
    """Return gold without a part, and that part: a share of gold, or one of several folds.

    Raises:
        DataError: there are too few images.
    """
    if section.folds is None:
        shares, mine = [1 - section.val_share, section.val_share], 1
    else:
        shares, mine = [1 / section.folds] * section.folds, section.fold
    parts = assign_parts(gold, likeness.families(gold.images), shares, rng)
    return of_images(gold, parts != mine), of_images(gold, parts == mine)


def val_in_two(
    val: Dataset, likeness: Likeness, tuning_share: float, seed: int
) -> dict[str, Dataset]:
    """Return val and tuning: val without the share that thresholds are chosen on, and that share.

    The same val gives the same parts, whatever was split before. One that cannot be split stays
    whole.
    """
    families = likeness.families(val.images)
    whole = tuning_share == 0 or len(np.unique(families)) < 2
    shares, rng = [1 - tuning_share, tuning_share], np.random.default_rng(seed)
    none = np.zeros(len(families), np.int64)
    parts = none if whole else assign_parts(val, families, shares, rng)
    return {"val": of_images(val, parts == 0), TUNING: of_images(val, parts == 1)}


def without_twins(
    dataset: Dataset,
    split: str,
    guards: dict[str, Dataset],
    likeness: Likeness,
    taken: list[Twin],
) -> Dataset:
    """Return a split without images that have a twin in `guards`; the pairs go to `taken`."""
    for guard, guarded in guards.items():
        twins = likeness.twins(dataset.images, split, guarded.images, guard)
        names = [twin.file for twin in twins]
        dataset = of_images(dataset, ~np.isin(dataset.images.file_names, names))
        taken += twins
    return dataset


def emptied(split: str, taken: Sequence[Twin]) -> str:
    """Return what is left of a split without images, and why."""
    counts = Counter(twin.kind for twin in taken if twin.split == split)
    said = ", ".join(f"{count} left as {kind}" for kind, count in sorted(counts.items()))
    return f"none ({said}: see prepare.duplicate_distance)" if said else "none"


def said_of_twins(report: Mapping[str, Any]) -> list[str]:
    """Return how many images left which split, and a warning where they were many."""
    lines = []
    counts = Counter((it["split"], it["kind"], it["twin_split"]) for it in report["taken_out"])
    for (split, kind, guard), count in sorted(counts.items()):
        left = report["images"][split]
        line = f"{count} images left {split}: {kind} of {guard}; {left} stay"
        if kind == "near-duplicate" and count > left * MANY:
            line = (
                f"warning: {line}. If they only look alike, as pictures of a fixed camera do, "
                "lower prepare.duplicate_distance, or set it to null"
            )
        lines.append(line)
    return lines


def refuse_shared(splits: dict[str, Dataset], transductive: bool) -> None:
    """Raise where a split to be trained on shares an image with one to be measured on.

    Raises:
        DataError: there is such an image; test images in the pool are none if that is wanted.
    """
    images: dict[str, Images] = {split: dataset.images for split, dataset in splits.items()}
    for split in TRAINED_ON:
        wanted = transductive and split == "pool"
        guards = [
            it for it in (*MEASURED_ON, HELD_OUT) if it in images and not (wanted and it == "test")
        ]
        refuse_leaks({split: images[split]}, {guard: images[guard] for guard in guards})


def said_of_missing(report: dict[str, Any]) -> str:
    """Return which classes have no gold label, the first of them by name."""
    names = report["classes_without_gold"]
    few = ", ".join(map(repr, names[:FEW_NAMES]))
    more = f" and {len(names) - FEW_NAMES} more" if len(names) > FEW_NAMES else ""
    return f"no gold label is of the class {few}{more}"


def classes_without_gold(gold: Dataset) -> list[str]:
    """Return the names of the classes that no gold annotation has."""
    found = set(gold.annotations.category_ids.tolist())
    return [category.name for category in gold.categories if category.id not in found]
