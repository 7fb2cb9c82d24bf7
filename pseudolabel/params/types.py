"""The parts that all sections of params.yaml are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from pseudolabel.core.per_round import Ramp

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
WholeNumber = Annotated[int, Strict()]
Flag = StrictBool

Share = Annotated[Number, Field(ge=0, le=1)]
OpenShare = Annotated[Number, Field(gt=0, lt=1)]
PositiveShare = Annotated[Number, Field(gt=0, le=1)]
PositiveFloat = Annotated[Number, Field(gt=0)]
LearningRate = Annotated[Number, Field(ge=1e-12, le=1000)]
"""Below, float32 cannot hold the change of a weight; above, a training cannot converge."""
Factor = Annotated[Number, Field(ge=0.01, le=100)]
Norm = Annotated[Number, Field(ge=1e-6, le=1e6)]
Count = Annotated[WholeNumber, Field(ge=0)]
Positive = Annotated[WholeNumber, Field(ge=1)]
BatchSize = Annotated[WholeNumber, Field(ge=1, le=65_536)]
Processes = Annotated[WholeNumber, Field(ge=1, le=1024)]
Seed = Annotated[WholeNumber, Field(ge=0, le=2**32 - 1)]


@dataclass(frozen=True)
class Allowed:
    """What a parameter may be, in words, where its type alone does not say it well."""

    text: str


Side = Annotated[WholeNumber, Field(ge=1, le=16_384)]
Size = Annotated[tuple[Side, Side], Allowed("[width, height], two whole numbers from 1 to 16384")]
Threshold = Share | Annotated[dict[str, Share], Field(min_length=1)]
"""One number for all classes, or one per class by name."""

ValueType = TypeVar("ValueType")


class Rule(NamedTuple):
    """A broken rule between several parameters.

    Attributes:
        key: the parameter, relative to its section.
        expected: the values that the other parameters leave.
        found: its value.
    """

    key: str
    expected: str
    found: object


class Section(BaseModel):
    """Base of all sections: unknown keys are faults, and values never change.

    The docstring of a field is its meaning: in params.yaml, in messages and in the reference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def broken_rules(self) -> Iterator[Rule]:
        """Yield every rule between the parameters of this section that is broken."""
        yield from ()

    @model_validator(mode="after")
    def _check_rules(self) -> Section:
        rules = list(self.broken_rules())
        if rules:
            text = "; ".join(f"{rule.key}: expected {rule.expected}" for rule in rules)
            raise PydanticCustomError("rules", "{text}", {"text": text, "rules": rules})
        return self


def single_value(value: ValueType | list[ValueType] | Ramp) -> ValueType:
    """Return a value that is the same in all rounds, or that of one round.

    Raises:
        TypeError: it is still a schedule; core.per_round.in_round takes the value of a round.
    """
    if isinstance(value, Ramp | list):
        raise TypeError(f"expected the value of one round, found a schedule: {value!r}")
    return value


def section_of(annotation: Any) -> type[Section] | None:
    """Return the section that a field holds; None if it holds a value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return None
