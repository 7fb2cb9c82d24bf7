"""Alarms about silver: a class that collapses or explodes, or more labels with lower scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST_EXPECTED = 10
"""A class is checked if at least this number of labels is expected, given its share elsewhere."""


@dataclass(frozen=True)
class ClassAmounts:
    """How much of each class there is, in gold or in a round's silver.

    Attributes:
        source: name of the data in messages.
        by_class: (c,) annotations, labels or pixels.
        mean_score: mean score of all labels; None if there are no scores.
    """

    source: str
    by_class: NDArray[np.int64]
    mean_score: float | None = None

    @property
    def shares(self) -> NDArray[np.float64]:
        """The (c,) share of each class."""
        return self.by_class / max(1, int(self.by_class.sum()))

    @classmethod
    def from_report(
        cls, source: str, report: dict[str, Any], unit: str, names: Sequence[str]
    ) -> ClassAmounts:
        """Return the amounts in the report of a round's filter, which has classes by name."""
        counts = report[unit]["out_by_class"]
        return cls(source, np.array([counts[name] for name in names]), report["mean_score"])


def find_alarms(
    silver: ClassAmounts, others: Sequence[ClassAmounts], names: Sequence[str], factor: float
) -> list[str]:
    """Return alarms about silver, compared with gold and with the silver of the round before.

    Args:
        silver: the labels that the filter kept.
        others: the data to compare it with.
        names: of the classes.
        factor: how many times larger or smaller the share of a class may be.
    """
    alarms = []
    total = int(silver.by_class.sum())
    for other in others:
        for name, share, expected in zip(names, silver.shares, other.shares, strict=True):
            shares = f"class {name!r} is {share:.1%} of silver and {expected:.1%} of {other.source}"
            if expected * total >= _FEWEST_EXPECTED and share * factor < expected:
                alarms.append(f"{shares}: it collapses")
            elif expected and share * total >= _FEWEST_EXPECTED and share > expected * factor:
                alarms.append(f"{shares}: it explodes")
        grows = other.mean_score is not None and total > other.by_class.sum()
        if grows and (silver.mean_score or 0.0) < (other.mean_score or 0.0):
            alarms.append(
                f"there is more silver than in {other.source} ({total:,} after "
                f"{int(other.by_class.sum()):,}), but its mean score is lower "
                f"({silver.mean_score:.3f} after {other.mean_score:.3f})"
            )
    return alarms
