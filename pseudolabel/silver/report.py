"""The report of a round's silver: counts, scores, agreement with the round before, alarms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import read_json
from pseudolabel.core.records import Category
from pseudolabel.formats.shards import TEACHER_FILE, read_shard, shard_paths
from pseudolabel.formats.silver_folder import AGREEMENT, REPORT
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import Filter
from pseudolabel.silver.alarms import ClassAmounts, find_alarms
from pseudolabel.silver.filter_counts import Counts, Reasons
from pseudolabel.silver.task_filter import TaskFilter

_SCORE_BINS = 20
"""Bins of the histograms of scores."""
_THRESHOLDS_SHOWN = 10
"""Thresholds that are printed; the report has all of them."""


def build_report(
    counts: Counts,
    categories: tuple[Category, ...],
    task_filter: type[TaskFilter],
    gold: Path,
    silver: Path,
    before: Path | None,
    alarm_factor: float,
) -> dict[str, Any]:
    """Return the report of a round's silver as JSON values.

    Args:
        counts: numbers of labels and images kept, hidden and dropped.
        categories: the classes.
        task_filter: the filter of the task, which compares two rounds.
        gold: the folder of gold.
        silver: the silver folder, with its shards and teacher.json.
        before: the silver folder of the round before, None in round 1.
        alarm_factor: how many times larger or smaller the share of a class may be.
    """
    report = counts.report(categories) | _score_histograms(silver, counts.reasons, categories)
    names = [category.name for category in categories]
    references = [_gold_amounts(gold, counts.reasons)]
    if before is not None:
        previous = read_json(before / REPORT)
        unit = counts.reasons.unit
        references.append(ClassAmounts.from_report("the round before", previous, unit, names))
        report[AGREEMENT] = _agreement(silver, before, task_filter)
    kept = ClassAmounts("silver", counts.kept, report["mean_score"])
    return report | {"alarms": find_alarms(kept, references, names, alarm_factor)}


def describe_silver(report: dict[str, Any], unit: str, section: Filter) -> str:
    """Return a summary of the silver and its thresholds, in one or two lines."""
    counts, images = report[unit], report["images"]
    hidden = sum(counts["hidden_by_class"].values())
    text = f"silver: {counts['out']:,} of {counts['in']:,} {unit} kept, "
    text += f"{hidden:,} hidden, " if hidden else ""
    text += f"on {images['out']:,} of {images['in']:,} images; "
    return text + _describe_thresholds(section) + _describe_repetition(report)


def _describe_thresholds(section: Filter) -> str:
    """Return the threshold of all classes, or the first ones of single classes."""
    if not isinstance(section.threshold, dict):
        return f"threshold {section.threshold}"
    values = [f"{name} {value}" for name, value in section.threshold.items()]
    rest = len(values) - _THRESHOLDS_SHOWN
    more = [f"and {rest} more"] if rest > 0 else []
    return f"thresholds: {', '.join(values[:_THRESHOLDS_SHOWN] + more)}"


def _describe_repetition(report: dict[str, Any]) -> str:
    """Return a line if the silver is that of the round before, else nothing."""
    agreement = report.get(AGREEMENT)
    if agreement is None or agreement["same"] < agreement["compared"]:
        return ""
    return (
        "\nThis is the silver of the round before. The student of this round differs in its random "
        "numbers alone: to learn more, change the filter, the teachers or the views."
    )


def _score_histograms(
    silver: Path, reasons: Reasons, categories: tuple[Category, ...]
) -> dict[str, Any]:
    """Return the mean score of all labels, and a histogram of scores for each class."""
    histograms = np.zeros((len(categories), _SCORE_BINS))
    total = 0.0
    for path in shard_paths(silver):
        rows = read_shard(path)
        rows = rows[~rows.crowds]
        amounts = reasons.amounts(rows).astype(np.float64)
        bins = np.minimum((rows.scores * _SCORE_BINS).astype(np.int64), _SCORE_BINS - 1)
        cells = rows.class_indices(categories) * _SCORE_BINS + bins
        histograms += np.bincount(cells, amounts, histograms.size).reshape(histograms.shape)
        total += float((rows.scores * amounts).sum())
    counts = histograms.round().astype(np.int64).tolist()
    return {
        "mean_score": round(total / max(1.0, float(histograms.sum())), 6),
        "scores": {
            "edges": [round(edge / _SCORE_BINS, 2) for edge in range(_SCORE_BINS + 1)],
            "counts": dict(zip([category.name for category in categories], counts, strict=True)),
        },
    }


def _gold_amounts(gold: Path, reasons: Reasons) -> ClassAmounts:
    """Return the amount of each class in gold, in the unit of silver."""
    dataset = SplitFolder(gold).read()
    amounts = reasons.amounts(dataset.annotations)
    counts = np.bincount(dataset.class_indices, amounts, len(dataset.categories))
    return ClassAmounts("gold", counts.astype(np.int64))


def _agreement(silver: Path, before: Path, task_filter: type[TaskFilter]) -> dict[str, float | int]:
    """Return how many labels of two rounds are the same."""
    same = compared = 0
    for path, path_before in _paired_shards(silver, before):
        rows, rows_before = read_shard(path), read_shard(path_before)
        counts = task_filter.agreement(rows, rows_before, path, path_before)
        same, compared = same + counts[0], compared + counts[1]
    return {"same": same, "compared": compared, "share": round(same / max(1, compared), 6)}


def _paired_shards(silver: Path, before: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each shard of two rounds: a shard has the same images in both.

    Raises:
        DataError: the shards of the rounds have different numbers of images.
    """
    size, size_before = (
        read_json(folder / TEACHER_FILE)["shard_images"] for folder in (silver, before)
    )
    if size != size_before:
        expected = f"{size}, as in the silver of this round"
        raise DataError(
            [Fault(str(before / TEACHER_FILE), "shard_images", expected, str(size_before))]
        )
    for path in shard_paths(silver):
        yield path, before / path.name
