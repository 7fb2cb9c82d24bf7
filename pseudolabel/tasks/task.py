"""What a task is to the stages that need no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudolabel.audit.suspects import Suspect
from pseudolabel.exports.export import Export
from pseudolabel.filters.counts import Filtering
from pseudolabel.formats.raw import ReadSplit
from pseudolabel.metrics.scorer import Scorer
from pseudolabel.params.sections import Sample
from pseudolabel.records import Dataset


@dataclass(frozen=True)
class Task:
    """One task, as a list of what it does in its own way.

    Attributes:
        name: as `task` in params.yaml.
        headline: the metrics of the table of rounds; the scorer's main one comes first.
        empty_counts: whether an image without any label is a negative to learn from; where it is
            not, such images are left out and listed.
        write_sample: writes the generated sample to a root.
        read_split: reads a labelled split of a raw root.
        write_labels: writes what a split has beside its COCO file (raw root, split, folder), and
            returns the split as it is from there on.
        filtering: the filters of predictions.
        scorer: the metrics (truth, its folder of prepared data, parameters).
        export: how predictions are told to others.
        suspects: the labels in doubt (gold, the folder of its cross-fit), likeliest first.
    """

    name: str
    headline: tuple[str, ...]
    empty_counts: bool
    write_sample: Callable[[Path, Sample], None]
    read_split: ReadSplit
    write_labels: Callable[[Path, Dataset, Path], Dataset]
    filtering: Filtering
    scorer: Callable[[Dataset, Path, Any], Scorer]
    export: Export
    suspects: Callable[[Dataset, Path], list[Suspect]]


def labels_in_coco_alone(_: Path, dataset: Dataset, __: Path) -> Dataset:
    """Return a split as it is, where all of its labels stand in its COCO file."""
    return dataset
