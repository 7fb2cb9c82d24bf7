"""Parameters that change from round to round, and the value that each round takes.

These functions change results, so they are not in params/: no stage depends on that package.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

_SCHEDULED = {
    "model": {"config": 0, "weights": 0, "image_size": 0},
    "train": {"gold_share": 1},
    "filter": {"score": 1},
}
"""Parameters that may be a schedule, and the round that takes the first value of a list."""

Share = Annotated[float, Field(ge=0, le=1)]
_ParamsType = TypeVar("_ParamsType", bound=BaseModel)


class Ramp(BaseModel):
    """A value that changes evenly from round 1 to round `rounds`, and stays there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Share
    end: Share
    rounds: Annotated[int, Field(ge=2)]

    def at(self, number: int) -> float:
        """Return the value of a round, from 1."""
        done = min(number - 1, self.rounds - 1) / (self.rounds - 1)
        return round(self.start + done * (self.end - self.start), 6)


def value_in_round(schedule: Any, number: int, first: int = 1) -> Any:
    """Return the value that a round takes.

    Args:
        schedule: one value for all rounds, a Ramp, or a list with one value per round.
        number: the round; rounds after the end of a list take its last value.
        first: the round of a list's first value; earlier rounds take it, too.
    """
    if isinstance(schedule, Ramp):
        return schedule.at(max(1, number))
    if isinstance(schedule, list):
        return schedule[min(max(0, number - first), len(schedule) - 1)]
    return schedule


def in_round(params: _ParamsType, number: int) -> _ParamsType:
    """Return the parameters of one round: every schedule replaced by its value in that round."""
    update: dict[str, Any] = {"round": number}
    for name, fields in _SCHEDULED.items():
        section = getattr(params, name)
        values = {
            field: value_in_round(getattr(section, field), number, first)
            for field, first in fields.items()
        }
        update[name] = section.model_copy(update=values)
    return params.model_copy(update=update)


def list_in_round(value: Any, number: int) -> Any:
    """Return the list of a round, from round 1, if a value is a list of lists; or the value."""
    is_schedule = isinstance(value, list) and all(isinstance(entry, list) for entry in value)
    return value_in_round(value, number) if is_schedule else value


def round_seed(seed: int, number: int) -> int:
    """Return the seed of a round's training: `seed` in round 0, another one in each later round.

    With one seed for all rounds, a round with the teacher and the silver of the round before would
    train the same model again.
    """
    if number == 0:
        return seed
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def gold_and_silver_per_step(batch_size: int, gold_share: float) -> tuple[int, int]:
    """Return how many gold and how many silver images a batch has: at least one of gold."""
    gold = max(1, round(batch_size * gold_share))
    return gold, batch_size - gold
