"""Precision, recall and F1 of silver, by class and round or by filter setting.

    python -m benchmarks.silver_quality            # the silver of all rounds here, by class
    python -m benchmarks.silver_quality --filters  # round 1, filtered with each of several settings

The true labels come from oracle.json in `data.root`; for semantic segmentation there is also the
folder oracle_masks/. The filter does not use them. `--csv FILE` appends the rows to a file.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.true_labels import Counts, Truth, background_share, count_labels, true_labels
from pseudolabel.core.errors import SilverError
from pseudolabel.core.files import read_json
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import PREPARED, ROUNDS, RoundFolder
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.shards import read_stabilities
from pseudolabel.formats.silver_folder import REPORT
from pseudolabel.params.common import Params
from pseudolabel.params.loading import load_params
from pseudolabel.silver import FILTERS
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.matching import precision_recall_f1

FIXED = {
    "hide_score": None,
    "min_confident_share": 0.0,
    "max_hidden_area": 1.0,
    "min_confident": 0.0,
}
F1 = {"score": "auto", "auto": {"aim": "f1", "at": None}}
SETTINGS: dict[str, dict[str, Any]] = {
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
    "the same, 60% confident": F1 | {"hide_score": 0.15, "min_confident_share": 0.6},
    "the same, 20% hidden at most": F1 | {"hide_score": 0.15, "max_hidden_area": 0.2},
    "auto, F1, top half by score": F1 | {"top_share": 0.5},
    "auto, F1, top half by stability": F1 | {"top_share": 0.5, "reliability": "stability"},
    "auto, F1, 300 labels per class": F1 | {"max_per_class": 300},
}


def overall(counts: list[Counts]) -> dict[str, float]:
    """Return precision, recall and F1 over all labels, and the mean F1 over the classes."""
    micro = precision_recall_f1(*(np.array([count.sum()]) for count in counts))
    macro = precision_recall_f1(*counts)[2][counts[2] > 0].mean()
    names = ("precision", "recall", "f1")
    return {name: float(value[0]) for name, value in zip(names, micro, strict=True)} | {
        "macro_f1": float(macro)
    }


def by_filter(params: Params, truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield the quality of the silver of round 1 for each filter setting of the task."""
    section = in_round(params, 1).filter
    predictions = RoundFolder(1).predictions
    measured_stability = len(read_stabilities(predictions)[0]) > 0
    fixed = {name: value for name, value in FIXED.items() if hasattr(section, name)}
    for label, changes in SETTINGS.items():
        if not all(hasattr(section, name) for name in changes):
            continue
        values = section.model_dump() | fixed | {"alarms": "off"} | changes
        if values["reliability"] == "stability" and not measured_stability:
            continue
        with tempfile.TemporaryDirectory() as name:
            silver = Path(name) / "silver"
            setting = type(section).model_validate(values)
            try:
                with redirect_stdout(StringIO()):
                    write_silver(PREPARED, predictions, None, silver, setting, FILTERS[params.task])
            except SilverError as error:
                print(f"{label}: {error}")
                continue
            yield {"filter": label} | measure(params.task, silver, truth)


def measure(task: str, silver: Path, truth: Truth) -> dict[str, Any]:
    """Return the quality of a silver folder, and its number of labels and images."""
    report = read_json(silver / REPORT)
    row: dict[str, Any] = overall(count_labels(task, silver, truth))
    row["labels"] = report[next(unit for unit in UNITS if unit in report)]["out"]
    row["images"] = report["images"]["out"]
    if TASKS[task].kind == "objects":
        row["as_background"] = background_share(silver, truth.dataset)
    return row


FILTER_HEAD = [
    "filter",
    "precision",
    "recall",
    "f1",
    "macro_f1",
    "labels",
    "images",
    "as_background",
]
UNITS = ("annotations", "pixels", "labels")


def by_round(task: str, truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield the quality of the silver of each round, by class."""
    for folder in sorted(ROUNDS.glob("*/silver")):
        counts = count_labels(task, folder, truth)
        columns = zip(truth.dataset.categories, *precision_recall_f1(*counts), strict=True)
        for category, precision, recall, f1 in columns:
            scores = {"precision": precision, "recall": recall, "f1": f1}
            yield {"round": int(folder.parent.name), "class": category.name} | scores
        yield {"round": int(folder.parent.name), "class": "all"} | overall(counts)


def format_cell(value: object) -> str:
    """Return the text of a cell of the table."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure the silver, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--filters", action="store_true", help="filter round 1 with each of several settings"
    )
    parser.add_argument("--csv", type=Path, help="a file to append the rows to")
    arguments = parser.parse_args()
    params = load_params()
    task = params.task
    with true_labels(params.data.root, task) as truth:
        rows = list(by_filter(params, truth) if arguments.filters else by_round(task, truth))
    head = FILTER_HEAD if arguments.filters else list(rows[0])
    head = [name for name in head if any(name in row for row in rows)]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(format_cell(row.get(name, '')) for name in head)} |")
    if arguments.csv:
        new = not arguments.csv.exists()
        with arguments.csv.open("a", newline="", encoding="utf-8") as stream:
            columns = ["data", *(FILTER_HEAD if arguments.filters else head)]
            writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerows({"data": params.data.root.name} | row for row in rows)


if __name__ == "__main__":
    main()
