"""The section `filter`: what all tasks share first, then what only some have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from pseudolabel.core.per_round import Ramp
from pseudolabel.params.types import (
    Allowed,
    Count,
    Flag,
    Number,
    Positive,
    PositiveShare,
    Rule,
    Section,
    Share,
    Threshold,
)

Score = Annotated[
    Literal["auto"] | Ramp | Threshold | Annotated[list[Threshold], Field(min_length=1)],
    Allowed("auto, a number from 0 to 1, one per class, or a list with one per round"),
]


class Auto(Section):
    """How `score: auto` chooses the threshold of each class."""

    aim: Literal["f1", "precision", "share"]
    """Goal of `score: auto`."""
    at: Annotated[
        Annotated[Number, Field(gt=0, le=2)] | None,
        Allowed("a number above 0, up to 2; null with aim f1"),
    ]
    """Precision or share to reach."""

    def broken_rules(self) -> Iterator[Rule]:
        """Require `at` for the aims precision and share, and forbid it for f1."""
        if self.aim == "f1" and self.at is not None:
            yield Rule("at", "null with aim f1", self.at)
        if self.aim != "f1" and self.at is None:
            yield Rule("at", f"a number with aim {self.aim}", None)
        if self.aim == "precision" and self.at is not None and self.at > 1:
            yield Rule("at", "at most 1 with aim precision", self.at)


class Filter(Section):
    """Which predictions become silver labels."""

    alarms: Literal["stop", "warn", "off"]
    """Reaction to suspicious silver."""
    alarm_factor: Annotated[Number, Field(gt=1)]
    """Largest change of a class, as a factor."""
    score: Score
    """Lowest score of a silver label."""
    auto: Auto
    calibrate: Flag
    """Whether to scale scores by a temperature first."""
    reliability: Literal["score", "stability"]
    """Measure that ranks the images."""
    top_share: PositiveShare
    """Share of the pool to keep."""
    max_per_class: Positive | None
    """Quota of labels per class."""

    @property
    def threshold(self) -> float | dict[str, float]:
        """The threshold of one round, for all classes or per class.

        Raises:
            TypeError: it is a schedule before in_round, or auto before a threshold is chosen.
        """
        if isinstance(self.score, Ramp | list | str):
            raise TypeError(f"expected the threshold of one round, found {self.score!r}")
        return self.score


class ObjectFilter(Filter):
    """Which predictions become silver labels, and which are hidden from the student."""

    hide_score: Annotated[
        Threshold | None, Allowed("a number from 0 to 1, one per class, or null for none")
    ]
    """Lowest score of a hidden object."""
    min_confident_share: Share
    """Least share of labels among all objects."""
    max_hidden_area: Share
    """Largest share of an image that is hidden."""
    nms_iou: Share
    """Largest IoU of two boxes of a class."""
    min_side: Annotated[Number, Field(ge=1)]
    """Smallest width and height of a box, pixels."""
    edge_margin: Annotated[Number, Field(ge=0)] | None
    """Drop boxes this close to the edge, pixels."""
    min_boxes: Count
    """Fewest labels of a kept image."""
    max_boxes: Positive
    """Most labels of a kept image."""

    def broken_rules(self) -> Iterator[Rule]:
        """Require possible counts, and forbid limits to hiding if nothing is hidden."""
        if self.min_boxes > self.max_boxes:
            yield Rule("min_boxes", f"at most max_boxes ({self.max_boxes})", self.min_boxes)
        if self.hide_score is None and self.min_confident_share > 0:
            yield Rule("min_confident_share", "0 without hide_score", self.min_confident_share)
        if self.hide_score is None and self.max_hidden_area < 1:
            yield Rule("max_hidden_area", "1 without hide_score", self.max_hidden_area)


class InstanceFilter(ObjectFilter):
    """Which predictions become silver labels, and which are hidden from the student."""

    min_stability: Share
    """Least stability of a mask."""
    min_area: Annotated[Number, Field(ge=1)]
    """Smallest mask, pixels."""
    max_overlap: Share
    """Largest share of a mask under a better one."""


class SemanticFilter(Filter):
    """Which pixels, and which images, become silver labels."""

    min_confident: Share
    """Least share of confident pixels per image."""


def lowest_threshold(score: str | Ramp | Threshold | list[Threshold]) -> float:
    """Return the lowest threshold of any class in any round; 1 for auto."""
    if isinstance(score, str):
        return 1.0
    if isinstance(score, Ramp):
        return min(score.start, score.end)
    if isinstance(score, list):
        return min(lowest_threshold(threshold) for threshold in score)
    return min(score.values()) if isinstance(score, dict) else score
