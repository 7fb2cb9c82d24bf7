"""Read a raw root and write checked splits: no image is in two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.datasets import PARTIAL, TUNING, concatenate, renumber, select_images
from pseudolabel.core.files import write_json, written_aside
from pseudolabel.core.held_out import Duplicate
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.fold_folder import HELD_OUT
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Prepare
from pseudolabel.raw import SPLIT_READERS, SPLIT_WRITERS
from pseudolabel.raw.layout import RawData, read_raw
from pseudolabel.raw.reviewed import REVIEWED, Review
from pseudolabel.raw.split_checks import LABELLED_SPLITS
from pseudolabel.splits.duplicates import DuplicateFinder
from pseudolabel.splits.leak_guard import LeakGuard
from pseudolabel.splits.messages import (
    describe_deep,
    describe_few,
    describe_missing_classes,
    describe_removed,
)
from pseudolabel.splits.partial import partly_labelled
from pseudolabel.splits.refusals import refuse_empty, refuse_shared
from pseudolabel.splits.report import describe_distributions, largest_deviation, write_report
from pseudolabel.splits.reviewed import mark_reviewed, write_reviews
from pseudolabel.splits.stratify import Parts, assign_parts


@dataclass(frozen=True)
class Prepared:
    """The splits, with image ids that are unique across them.

    Attributes:
        splits: gold, val, tuning, test and pool; test and tuning may have no images. With folds
            there is also held_out, the fold that no model of this run is trained on.
        report: the values of report.json: what was read, split off and removed.
        reviews: the review of each reviewed image; these images are in gold.
    """

    splits: dict[str, Dataset]
    report: dict[str, Any]
    reviews: dict[str, Review]


def prepare(
    root: Path,
    output: Path,
    task: str,
    section: Prepare,
    seed: int,
    reviews: Path | None = None,
    kept: Path | None = None,
) -> None:
    """Write a folder for each split, report.json and report.html into `output`.

    Args:
        root: the raw root.
        output: the folder to write.
        task: decides how labels are read and written.
        section: how gold is split, and what counts as a near-duplicate.
        seed: of the split.
        reviews: the folder that may have a reviewed.json; its images are joined to gold.
        kept: the folder with what is known of unchanged images; None to read all, and keep nothing.

    Raises:
        DataError: the raw data or `prepare.partial` have faults; all of them are listed.
    """
    prepared = read_and_split(root, task, section, seed, reviews, kept)
    partial = partly_labelled(prepared.splits["gold"], section.partly_labelled)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        write, written = SPLIT_WRITERS[task], {}
        for name, dataset in prepared.splits.items():
            split = SplitFolder(aside / name)
            content = dataset if name == "pool" else write(root, dataset, split.path)
            written[name] = mark_reviewed(content, prepared.reviews)
            split.write(written[name])
        SplitFolder(aside / PARTIAL).write(partial)
        write_reviews(aside / "gold", written["gold"].images, prepared.reviews)
        write_json(aside / "report.json", prepared.report)
        write_report(aside, root / IMAGES, written, prepared.report)
    for describe in (describe_removed, describe_deep, describe_few):
        for line in describe(prepared.report):
            print(line)
    if prepared.report["classes_without_gold"]:
        print(f"warning: {describe_missing_classes(prepared.report)}: they will not be learned")


def read_and_split(
    root: Path,
    task: str,
    section: Prepare,
    seed: int,
    reviews: Path | None = None,
    kept: Path | None = None,
) -> Prepared:
    """Return a raw root as checked splits.

    Raises:
        DataError: the raw data has faults; all of them are listed.
    """
    distance = section.duplicate_distance
    options = distance is not None, section.max_pixels, reviews, kept
    raw = read_raw(root, SPLIT_READERS[task], *options)
    raw, unlabelled = _without_unlabelled(raw, task)
    finder = DuplicateFinder(raw.perceptual_hashes, raw.groups, distance or 0)
    prepared = _prepare_splits(raw, finder, section, seed)
    return replace(prepared, report=prepared.report | {"images_without_labels": unlabelled})


def _prepare_splits(raw: RawData, finder: DuplicateFinder, section: Prepare, seed: int) -> Prepared:
    """Return the splits of raw data, without duplicates across them.

    Val and test come first; then gold and the pool lose their duplicates in these.

    Raises:
        DataError: a split would be empty, or there are too few images to split.
    """
    guard = LeakGuard(finder)
    measured, gold = _hold_out(raw, guard, section, seed)
    pool = Dataset(raw.pool, Annotations.empty(), gold.categories)
    pool = guard.remove_from(pool, "pool", measured)
    copies = LeakGuard(DuplicateFinder({}, {}, 0))
    pool = copies.remove_from(pool, "pool", {"gold": gold})
    removed = guard.removed + copies.removed
    if section.transductive:
        test = measured["test"]
        pool = concatenate([pool, Dataset(test.images, Annotations.empty(), test.categories)])
    splits = measured | {"gold": gold, "pool": pool}
    refuse_empty(splits, removed)
    splits = renumber(splits)
    refuse_shared(splits, transductive=section.transductive)
    return Prepared(splits, _report(raw, splits, removed, section), raw.reviews)


def _hold_out(
    raw: RawData, guard: LeakGuard, section: Prepare, seed: int
) -> tuple[dict[str, Dataset], Dataset]:
    """Return the splits that are measured on, and the rest of gold."""
    test = raw.test or Dataset.empty(raw.gold.categories)
    measured = {"test": test}
    if raw.val is not None:
        measured["val"] = guard.remove_from(raw.val, "val", {"test": test})
    gold = guard.remove_from(raw.gold, "gold", measured)
    if raw.val is None or section.folds is not None:
        rng = np.random.default_rng(seed)
        gold, part = _split_off(gold, guard.finder, section, rng)
        if raw.val is None:
            measured["val"] = part
        if section.folds is not None:
            measured[HELD_OUT] = part
    measured |= _split_val(measured["val"], guard.finder, section.tuning_share, seed)
    if raw.reviewed is not None:
        # Last: a review must not change which images are measured on.
        gold = concatenate([gold, guard.remove_from(raw.reviewed, REVIEWED, measured)])
    return measured, gold


def _without_unlabelled(raw: RawData, task: str) -> tuple[RawData, dict[str, list[str]]]:
    """Return the raw data, and the names of images without labels by split.

    Such images are removed, except for objects: there they are negatives.
    """
    kept: dict[str, Any] = {}
    names: dict[str, list[str]] = {}
    for split in LABELLED_SPLITS:
        dataset = getattr(raw, split)
        if dataset is not None:
            labelled = np.isin(dataset.images.ids, dataset.annotations.image_ids)
            names[split] = sorted(dataset.images.file_names[~labelled])
            keeps_all = TASKS[task].empty_is_negative
            kept[split] = dataset if keeps_all else select_images(dataset, labelled)
    return replace(raw, **kept), names


def _split_off(
    gold: Dataset, finder: DuplicateFinder, section: Prepare, rng: np.random.Generator
) -> tuple[Dataset, Dataset]:
    """Return gold without a part, and that part: a share of gold, or one of several folds."""
    if section.folds is None:
        shares, number = [1 - section.val_share, section.val_share], 1
    else:
        shares, number = [1 / section.folds] * section.folds, section.fold
    parts = assign_parts(gold, finder.duplicate_groups(gold.images), shares, rng)
    return select_images(gold, parts != number), select_images(gold, parts == number)


def _split_val(
    val: Dataset, finder: DuplicateFinder, tuning_share: float, seed: int
) -> dict[str, Dataset]:
    """Return val and tuning: val without the share that thresholds are chosen on, and that share.

    The parts depend only on val and the seed. If val cannot be split, tuning is empty.
    """
    groups = finder.duplicate_groups(val.images)
    if tuning_share == 0 or len(np.unique(groups)) < 2:
        parts: Parts = np.zeros(len(groups), np.int64)
    else:
        shares, rng = [1 - tuning_share, tuning_share], np.random.default_rng(seed)
        parts = assign_parts(val, groups, shares, rng)
    return {"val": select_images(val, parts == 0), TUNING: select_images(val, parts == 1)}


def _report(
    raw: RawData,
    splits: Mapping[str, Dataset],
    removed: Sequence[Duplicate],
    section: Prepare,
) -> dict[str, Any]:
    """Return the values of report.json."""
    labelled = {split: dataset for split, dataset in splits.items() if split != "pool"}
    classes = set(splits["gold"].annotations.category_ids.tolist())
    categories = splits["gold"].categories
    return {
        "images": {split: len(dataset.images) for split, dataset in splits.items()},
        "annotations": {split: len(dataset.annotations) for split, dataset in splits.items()},
        "val_split_off_gold": raw.val is None,
        "reviewed": int(np.isin(splits["gold"].images.file_names, list(raw.reviews)).sum()),
        "fold": None if section.folds is None else [section.fold, section.folds],
        "transductive": section.transductive,
        "removed": [pair.row() for pair in removed],
        "unreadable": raw.unreadable,
        "more_than_8_bits": raw.deep,
        "classes_without_gold": [
            category.name for category in categories if category.id not in classes
        ],
        "largest_deviation": largest_deviation(labelled),
        "distributions": describe_distributions(labelled),
    }
