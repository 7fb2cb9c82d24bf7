"""What all sections of params.yaml are made of: bounded numbers, and schedules over rounds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]
Above = Annotated[float, Field(gt=0)]
Within = Annotated[float, Field(gt=0, lt=1)]

Threshold = Share | Annotated[dict[str, Share], Field(min_length=1)]
"""One number for all classes, or one for each by name."""


LAST_ROUND = 9
"""The last round that rounds/dvc.yaml unrolls."""


class Section(BaseModel):
    """Base of all sections: unknown keys are faults, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ramp(Section):
    """A value that moves evenly from round 1 to round `rounds`, and stays there."""

    start: Share
    end: Share
    rounds: Annotated[int, Field(ge=2)]

    def at(self, number: int) -> float:
        """Return the value of a round."""
        way = min(number - 1, self.rounds - 1) / (self.rounds - 1)
        return round(self.start + way * (self.end - self.start), 6)


def value_in(schedule: Any, number: int) -> Any:
    """Return the value of a round: a list has one for each, the last one for all further rounds."""
    if isinstance(schedule, Ramp):
        return schedule.at(number)
    return schedule[min(number, len(schedule)) - 1] if isinstance(schedule, list) else schedule
