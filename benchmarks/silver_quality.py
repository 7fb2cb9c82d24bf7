"""Silver against the pool's true labels: precision, recall and F1, by class and round or by means.

    python -m benchmarks.silver_quality            # the silver of all rounds here, by class
    python -m benchmarks.silver_quality --means    # round 1 filtered anew, by each of several means

Both read the true labels from oracle.json under `data.root`, with oracle_masks/ beside it where
labels are pixels. The filter never sees them. `--csv FILE` appends the rows to a file.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.datasets import of_images
from pseudolabel.errors import SilverError
from pseudolabel.files import read_json
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.label_maps import MASKS, UNLABELLED, map_path, read_map
from pseudolabel.metrics.pixels import confusion
from pseudolabel.params.loading import load_params
from pseudolabel.params.sections import Params
from pseudolabel.quality import SAME_IOU, object_trials, overlaps_of, quality
from pseudolabel.records import Annotations, Dataset, category_ids_of, positions
from pseudolabel.sample.writing import ORACLE
from pseudolabel.silver import write_silver
from pseudolabel.silver_record import REPORT
from pseudolabel.tasks import TASKS
from pseudolabel.tasks.task import Task

PREPARED, ROUNDS = Path("data/prepared"), Path("rounds")
FIXED = {"hide_score": None, "min_sure": 0.0, "max_hidden_area": 1.0, "min_confident": 0.0}
F1 = {"score": "auto", "auto": {"aim": "f1", "at": None}}
MEANS: dict[str, dict[str, Any]] = {
    "fixed 0.3": {"score": 0.3},
    "fixed 0.5": {"score": 0.5},
    "fixed 0.7": {"score": 0.7},
    "auto, F1": F1,
    "auto, precision 0.7": {"score": "auto", "auto": {"aim": "precision", "at": 0.7}},
    "auto, precision 0.9": {"score": "auto", "auto": {"aim": "precision", "at": 0.9}},
    "auto, share 0.5": {"score": "auto", "auto": {"aim": "share", "at": 0.5}},
    "auto, F1, calibrated": F1 | {"calibrate": True},
    "fixed 0.7, calibrated": {"score": 0.7, "calibrate": True},
    "auto, F1, hidden from 0.15": F1 | {"hide_score": 0.15},
    "the same, 60% sure": F1 | {"hide_score": 0.15, "min_sure": 0.6},
    "the same, 20% hidden at most": F1 | {"hide_score": 0.15, "max_hidden_area": 0.2},
    "auto, F1, top half by score": F1 | {"top_share": 0.5},
    "auto, F1, top half by stability": F1 | {"top_share": 0.5, "reliability": "stability"},
    "auto, F1, 300 labels a class": F1 | {"max_per_class": 300},
}


@dataclass(frozen=True)
class Truth:
    """The pool's true labels, under the ids that the pipeline gave the images."""

    dataset: Dataset
    folder: Path


@contextmanager
def true_labels(root: Path, task: Task) -> Iterator[Truth]:
    """Yield what oracle.json says of the pool's images."""
    pool = read_coco(PREPARED / "pool" / FILE)
    with tempfile.TemporaryDirectory() as name:
        raw, folder = Path(name) / "raw", Path(name) / "truth"
        raw.mkdir()
        (raw / f"{ORACLE}.json").symlink_to((root / f"{ORACLE}.json").resolve())
        if (root / f"{ORACLE}_{MASKS}").is_dir():
            (raw / MASKS).symlink_to((root / f"{ORACLE}_{MASKS}").resolve())
        dataset, faults = task.read_split(raw, ORACLE, pool.categories)
        assert not faults, faults[:5]
        dataset = of_images(dataset, np.isin(dataset.images.file_names, pool.images.file_names))
        ids = dict(zip(pool.images.file_names, pool.images.ids.tolist(), strict=True))
        old, new = dataset.images.ids, np.array([ids[it] for it in dataset.images.file_names])
        rows = replace(
            dataset.annotations, image_ids=new[positions(dataset.annotations.image_ids, old)]
        )
        order = np.argsort(new)
        images = replace(dataset.images, ids=new)[order]
        rows = rows[np.argsort(rows.image_ids, kind="stable")]
        yield Truth(task.write_labels(raw, Dataset(images, rows, pool.categories), folder), folder)


def tally(task: Task, silver: Path, truth: Truth) -> list[np.ndarray]:
    """Return what is right, what was given and what there is to find, each by class."""
    classes = len(truth.dataset.categories)
    rows = tables.read_shards(silver)
    rows = rows[~rows.crowds & np.isin(rows.image_ids, truth.dataset.images.ids)]
    if task.name == "semantic":
        table, truths = np.zeros((classes, classes + 1)), np.zeros(classes)
        for image_id in truth.dataset.images.ids.tolist():
            true = read_map(map_path(truth.folder, image_id))
            truths += np.bincount(true[true != UNLABELLED], minlength=classes)
            path = map_path(silver, image_id)
            if path.exists():
                labels = read_map(path)
                labels[labels == UNLABELLED] = classes
                table += confusion(true, labels, classes + 1)[:classes]
        return [np.diag(table), table.sum(axis=0)[:classes], truths]
    if task.name == "classification":
        ids, true = category_ids_of(truth.dataset.categories), truth.dataset.annotations
        given = positions(rows.category_ids, ids)
        right = true.category_ids[positions(rows.image_ids, true.image_ids)] == rows.category_ids
        truths = np.bincount(positions(true.category_ids, ids), minlength=classes)
        counts = [np.bincount(it, minlength=classes) for it in (given[right], given)]
        return [it.astype(float) for it in (*counts, truths)]
    trials = object_trials(rows, truth.dataset)
    counts = [np.bincount(trials.classes[it], minlength=classes) for it in (trials.hits, ...)]
    return [it.astype(float) for it in (*counts, trials.truths)]


def as_background(silver: Path, truth: Dataset) -> float:
    """Return the share of true objects on kept images that no label and nothing hidden covers."""
    rows = tables.read_shards(silver)
    chosen = tables.kept_images(silver / tables.DECISIONS)
    kept = of_images(truth, np.isin(truth.images.ids, chosen))
    missed = total = 0
    for at in range(len(kept.images)):
        image_id = kept.images.ids[at]
        mine: Annotations = kept.annotations[kept.annotations.image_ids == image_id]
        mine = mine[~mine.crowds]
        theirs = rows[rows.image_ids == image_id]
        size = int(kept.images.heights[at]), int(kept.images.widths[at])
        overlaps = overlaps_of(theirs, mine, *size).max(axis=0, initial=0)
        missed += int((overlaps < SAME_IOU).sum())
        total += len(mine)
    return missed / max(1, total)


def overall(counts: list[np.ndarray]) -> dict[str, float]:
    """Return precision, recall and F1 over all labels, and the mean F1 over the classes."""
    micro = quality(*(np.array([it.sum()]) for it in counts))
    macro = quality(*counts)[2][counts[2] > 0].mean()
    names = ("precision", "recall", "f1")
    return {name: float(it[0]) for name, it in zip(names, micro, strict=True)} | {
        "macro_f1": float(macro)
    }


def by_means(params: Params, task: Task, truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield how good the silver of round 1 is by each of the means that the task has."""
    section = params.filter
    predictions = ROUNDS / "1" / "predictions"
    measured_stability = len(tables.read_stabilities(predictions)[0]) > 0
    closed = {name: value for name, value in FIXED.items() if hasattr(section, name)}
    for label, changes in MEANS.items():
        if not all(hasattr(section, name) for name in changes):
            continue
        values = section.model_dump() | closed | {"alarms": "off"} | changes
        if values["reliability"] == "stability" and not measured_stability:
            continue
        with tempfile.TemporaryDirectory() as name:
            silver = Path(name) / "silver"
            wanted = type(section).model_validate(values)
            try:
                with redirect_stdout(StringIO()):
                    write_silver(PREPARED, predictions, None, silver, wanted, task.filtering)
            except SilverError as error:
                print(f"{label}: {error}")
                continue
            yield {"means": label} | measured(task, silver, truth)


def measured(task: Task, silver: Path, truth: Truth) -> dict[str, Any]:
    """Return the quality of one folder of silver, and how much it is."""
    report = read_json(silver / REPORT)
    row: dict[str, Any] = overall(tally(task, silver, truth))
    row["labels"] = report[next(it for it in UNITS if it in report)]["out"]
    row["images"] = report["images"]["out"]
    if task.name in ("detection", "instance"):
        row["as_background"] = as_background(silver, truth.dataset)
    return row


MEANS_HEAD = ["means", "precision", "recall", "f1", "macro_f1", "labels", "images", "as_background"]
UNITS = ("annotations", "pixels", "labels")


def by_round(task: Task, truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield how good the silver of every round here is, by class."""
    for folder in sorted(ROUNDS.glob("*/silver")):
        counts = tally(task, folder, truth)
        columns = zip(truth.dataset.categories, *quality(*counts), strict=True)
        for category, precision, recall, f1 in columns:
            scores = {"precision": precision, "recall": recall, "f1": f1}
            yield {"round": int(folder.parent.name), "class": category.name} | scores
        yield {"round": int(folder.parent.name), "class": "all"} | overall(counts)


def shown(value: object) -> str:
    """Return a cell of the table."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--means", action="store_true", help="filter round 1 by each of the means")
    parser.add_argument("--csv", type=Path, help="a file to append the rows to")
    arguments = parser.parse_args()
    params = load_params()
    task = TASKS[params.task]
    with true_labels(params.data.root, task) as truth:
        rows = list(by_means(params, task, truth) if arguments.means else by_round(task, truth))
    head = MEANS_HEAD if arguments.means else list(rows[0])
    head = [name for name in head if any(name in row for row in rows)]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(shown(row.get(name, '')) for name in head)} |")
    if arguments.csv:
        new = not arguments.csv.exists()
        with arguments.csv.open("a", newline="", encoding="utf-8") as stream:
            columns = ["data", *(MEANS_HEAD if arguments.means else head)]
            writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerows({"data": params.data.root.name} | row for row in rows)


if __name__ == "__main__":
    main()
