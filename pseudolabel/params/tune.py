"""The section `tune`: which parameters the search tries, within which bounds, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from pseudolabel.params.types import (
    Allowed,
    Flag,
    Number,
    OpenShare,
    Positive,
    PositiveShare,
    Rule,
    Section,
    WholeNumber,
)

_SEARCHED = ("train.", "model.")
"""Sections whose parameters can be searched."""
Bounds = Annotated[
    tuple[OpenShare, OpenShare], Allowed("[low, high], two numbers above 0 and below 1")
]


class Range(Section):
    """A parameter between two bounds: a whole number if both bounds are.

    Attributes:
        log: whether to search orders of magnitude evenly.
    """

    name: str
    low: WholeNumber | Number
    high: WholeNumber | Number
    log: Flag = False


class Choice(Section):
    """A parameter that takes one of several values of any form."""

    name: str
    choices: Annotated[list[Any], Field(min_length=2)]


Parameters = Annotated[
    list[Range | Choice],
    Field(min_length=1),
    Allowed("a list of {name, low, high} with an optional log, or {name, choices}"),
]


class Tune(Section):
    """The search for better parameters: each trial trains on the same part of gold."""

    trials: Positive
    """Trainings to try."""
    share: PositiveShare
    """Share of gold that each trial trains on."""
    parameters: Parameters
    """Parameters of train and model to search."""

    def broken_rules(self) -> Iterator[Rule]:
        """Require known sections, each parameter once, and bounds with a range between them."""
        names = [parameter.name for parameter in self.parameters]
        for name in names:
            if not name.startswith(_SEARCHED):
                yield Rule("parameters", "parameters of train and model only", name)
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Rule("parameters", "each parameter once", name)
        for number, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Range):
                continue
            key = f"parameters[{number}].low"
            if parameter.low >= parameter.high:
                yield Rule(key, f"a number below high ({parameter.high})", parameter.low)
            if parameter.log and parameter.low <= 0:
                yield Rule(key, "a number above 0 with log: true", parameter.low)


class ObjectTune(Tune):
    """The search for better parameters: each trial trains on the same part of gold."""

    inference_trials: Positive
    """Pairs of inference thresholds to try."""
    inference_measure: Literal["f1", "mAP", "mAP_50", "mAP_75"]
    """Metric that the thresholds maximise."""
    score: Bounds
    """Range of evaluate.score_floor."""
    nms_iou: Bounds
    """Range of evaluate.nms_iou."""

    def broken_rules(self) -> Iterator[Rule]:
        """Require rising bounds, too."""
        yield from super().broken_rules()
        for key, bounds in (("score", self.score), ("nms_iou", self.nms_iou)):
            if bounds[0] >= bounds[1]:
                yield Rule(key, "the first number below the second", list(bounds))
