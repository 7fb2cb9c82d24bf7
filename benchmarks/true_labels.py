"""The true labels of the pool, and silver compared with them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.columns import positions
from pseudolabel.core.datasets import select_images
from pseudolabel.core.project import PREPARED
from pseudolabel.core.records import Dataset
from pseudolabel.evaluation.pixels import confusion
from pseudolabel.formats.label_maps import LABEL_MAPS, UNLABELLED
from pseudolabel.formats.shards import read_shards
from pseudolabel.formats.silver_folder import DECISIONS, kept_images
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.raw import SPLIT_READERS, SPLIT_WRITERS
from pseudolabel.raw.sample.labels import ORACLE
from pseudolabel.silver.matching import MATCH_IOU, match_objects, overlaps_of

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """The true labels of the pool, with the image ids of the pipeline.

    Attributes:
        dataset: the images and their true labels.
        folder: the folder of the true label maps, for semantic segmentation.
    """

    dataset: Dataset
    folder: SplitFolder


@contextmanager
def true_labels(root: Path, task: str) -> Iterator[Truth]:
    """Yield the labels of oracle.json for the images of the pool."""
    pool = SplitFolder(PREPARED / "pool").read()
    with tempfile.TemporaryDirectory() as name:
        raw, folder = Path(name) / "raw", Path(name) / "truth"
        raw.mkdir()
        (raw / f"{ORACLE}.json").symlink_to((root / f"{ORACLE}.json").resolve())
        if (root / f"{ORACLE}_{LABEL_MAPS}").is_dir():
            (raw / LABEL_MAPS).symlink_to((root / f"{ORACLE}_{LABEL_MAPS}").resolve())
        dataset, faults = SPLIT_READERS[task](raw, ORACLE) or (Dataset.empty(), ["no oracle"])
        if faults:
            raise SystemExit(f"{root / ORACLE}.json: {faults[:5]}")
        dataset = select_images(dataset, np.isin(dataset.images.file_names, pool.images.file_names))
        ids = dict(zip(pool.images.file_names, pool.images.ids.tolist(), strict=True))
        old, new = dataset.images.ids, np.array([ids[name] for name in dataset.images.file_names])
        rows = replace(
            dataset.annotations, image_ids=new[positions(dataset.annotations.image_ids, old)]
        )
        order = np.argsort(new)
        images = replace(dataset.images, ids=new)[order]
        rows = rows[np.argsort(rows.image_ids, kind="stable")]
        truth = SPLIT_WRITERS[task](raw, Dataset(images, rows, pool.categories), folder)
        yield Truth(truth, SplitFolder(folder))


def count_labels(task: str, silver: Path, truth: Truth) -> list[Counts]:
    """Return three counts per class: correct silver labels, silver labels, true labels."""
    categories = truth.dataset.categories
    if task == "semantic":
        return _count_pixels(SplitFolder(silver), truth)
    rows = read_shards(silver)
    rows = rows[~rows.crowds & np.isin(rows.image_ids, truth.dataset.images.ids)]
    if task == "classification":
        true = truth.dataset.annotations
        labels, totals = rows.class_indices(categories), true.class_indices(categories)
        correct = labels[totals[positions(rows.image_ids, true.image_ids)] == labels]
        indices = [correct, labels, totals]
        return [np.bincount(part, minlength=len(categories)).astype(float) for part in indices]
    matched = match_objects(rows, truth.dataset)
    indices = [matched.classes[matched.hits], matched.classes]
    counts = [np.bincount(part, minlength=len(categories)).astype(float) for part in indices]
    return [*counts, matched.totals]


def _count_pixels(silver: SplitFolder, truth: Truth) -> list[Counts]:
    """Return three counts of pixels per class: correct, labelled in silver, labelled in truth."""
    classes = len(truth.dataset.categories)
    table, totals = np.zeros((classes, classes + 1)), np.zeros(classes)
    for image_id in truth.dataset.images.ids.tolist():
        true = truth.folder.label_map(image_id)
        totals += np.bincount(true[true != UNLABELLED], minlength=classes)
        if image_id in silver.map_shards:
            labels = silver.label_map(image_id)
            labels[labels == UNLABELLED] = classes
            table += confusion(true, labels, classes + 1)[:classes]
    return [np.diag(table), table.sum(axis=0)[:classes], totals]


def background_share(silver: Path, truth: Dataset) -> float:
    """Return the share of true objects on kept images that count as background.

    Neither a silver label nor a hidden object covers such an object.
    """
    kept = select_images(truth, np.isin(truth.images.ids, kept_images(silver / DECISIONS)))
    missed = total = 0
    for row, (labels, true) in enumerate(
        zip(
            read_shards(silver).by_image(kept.images.ids),
            kept.annotations.by_image(kept.images.ids),
            strict=True,
        )
    ):
        objects = true[~true.crowds]
        size = int(kept.images.heights[row]), int(kept.images.widths[row])
        overlaps = overlaps_of(labels, objects, *size).max(axis=0, initial=0)
        missed += int((overlaps < MATCH_IOU).sum())
        total += len(objects)
    return missed / max(1, total)
