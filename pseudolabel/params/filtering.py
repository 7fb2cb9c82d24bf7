"""The section `filter`, as far as all tasks share it: thresholds, and the choice of images."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pseudolabel.params.base import Ramp, Section, Some, Threshold, value_in


class Auto(Section):
    """What thresholds are chosen for, class by class.

    `f1`: the best balance of precision and recall; `precision`: the lowest threshold of which a
    share `at` of the labels is right; `share`: `at` labels for each that gold would have.
    """

    aim: Literal["f1", "precision", "share"]
    at: Annotated[float, Field(gt=0, le=2)] | None

    @model_validator(mode="after")
    def aim_is_given(self) -> Auto:
        """Refuse a precision or a share that is not told, and one told in vain."""
        if (self.at is None) != (self.aim == "f1"):
            raise ValueError("`at` is for the aims precision and share, which need it")
        if self.aim == "precision" and self.at is not None and self.at > 1:
            raise ValueError("a precision is 1 at most")
        return self


class Filter(Section):
    """What every task's filter has: its thresholds, and what it does about odd silver."""

    alarms: Literal["stop", "warn", "off"]
    alarm_factor: Annotated[float, Field(gt=1)]
    score: Literal["auto"] | Ramp | Threshold | Annotated[list[Threshold], Field(min_length=1)]
    auto: Auto
    calibrate: bool
    reliability: Literal["score", "stability"]
    top_share: Annotated[float, Field(gt=0, le=1)]
    max_per_class: Some | None

    def in_round(self, number: int) -> Any:
        """Return the filter of one round, its score that of the round.

        Of a list, round 1 takes the first threshold, and rounds beyond the end take the last one.
        """
        return self.model_copy(update={"score": value_in(self.score, number)})

    @property
    def lowest_score(self) -> float:
        """The lowest threshold of any class in any round; 1 where data decides."""
        if self.score == "auto":
            return 1.0
        if isinstance(self.score, Ramp):
            return min(self.score.start, self.score.end)
        scores = self.score if isinstance(self.score, list) else [self.score]
        return min(min(it.values()) if isinstance(it, dict) else it for it in scores)

    @property
    def threshold(self) -> float | dict[str, float]:
        """The threshold of a filter that is one round's."""
        if isinstance(self.score, Ramp | list | str):
            raise TypeError("a schedule has no threshold before in_round, auto none before tuning")
        return self.score
