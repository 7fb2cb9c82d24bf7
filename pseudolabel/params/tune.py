"""The section `tune`: which parameters are searched, within which bounds, and for how long."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pseudolabel.params.base import Section, Some, Within

SEARCHED = ("train.", "model.")
"""How the names of parameters of training begin."""
Share = Annotated[float, Field(gt=0, le=1)]


class Range(Section):
    """A parameter between two bounds: a whole number where both are; evenly, or by magnitude."""

    name: str
    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def bounds_fit(self) -> Range:
        """Refuse bounds with nothing between them, and magnitudes of what has none."""
        if self.low >= self.high:
            raise ValueError(f"{self.name}: low must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.name}: low must be above 0 where log is true")
        return self


class Choice(Section):
    """A parameter that is one of some values, of any form."""

    name: str
    choices: Annotated[list[Any], Field(min_length=2)]


class Tune(Section):
    """The search over parameters of training: each trial trains on the same share of gold."""

    trials: Some
    share: Share
    parameters: Annotated[list[Range | Choice], Field(min_length=1)]

    @model_validator(mode="after")
    def of_training_and_once(self) -> Tune:
        """Refuse a parameter that is none of training, or is searched twice."""
        names = [it.name for it in self.parameters]
        for name in names:
            if not name.startswith(SEARCHED):
                raise ValueError(f"parameters: expected those of train and model, found {name}")
        for name in sorted({it for it in names if names.count(it) > 1}):
            raise ValueError(f"parameters: expected each once, found {name} more than once")
        return self


class ObjectTune(Tune):
    """The same, and the search over the thresholds that objects are given out at, low to high."""

    inference_trials: Some
    inference_measure: Literal["f1", "mAP", "mAP_50", "mAP_75"]
    score: tuple[Within, Within]
    nms_iou: tuple[Within, Within]

    @model_validator(mode="after")
    def bounds_rise(self) -> ObjectTune:
        """Refuse bounds of a threshold with nothing between them."""
        for name in ("score", "nms_iou"):
            low, high = getattr(self, name)
            if low >= high:
                raise ValueError(f"{name}: the first must be below the second ({high:g})")
        return self
