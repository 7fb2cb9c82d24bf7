"""What a page of errors is made of, for each kind of label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.records import Dataset
from pseudolabel.report.gallery import Gallery

MOST_SHOWN = 50
"""Images of a gallery of errors."""


@dataclass(frozen=True)
class Scored:
    """What the last round's model found on one split.

    Attributes:
        split: the name of the split.
        folder: the folder of the split.
        truth: its gold.
        outcome: the path of what the model found, as the evaluation has it.
        task: detection, instance, semantic or classification.
        max_boxes: number of predictions per image and class that count; 0 if there are no boxes.
        report: the report, to write label maps to.
    """

    split: str
    folder: Path
    truth: Dataset
    outcome: Path
    task: str
    max_boxes: int
    report: Path


@dataclass(frozen=True)
class ErrorReport:
    """The content of a page of errors.

    Attributes:
        parts: the HTML of its tables and charts.
        galleries: its images.
    """

    parts: Sequence[str]
    galleries: Sequence[Gallery]


DescribeErrors = Callable[[Scored], ErrorReport]
"""Returns the errors of a model on a split."""
