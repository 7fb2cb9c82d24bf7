"""Alarms about silver: a class that collapses or explodes, more labels of less certainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""Labels of a class that its share elsewhere lets expect, from which on it can be missed."""


@dataclass(frozen=True)
class Amounts:
    """How much of each class there is, in gold or in a round's silver.

    Attributes:
        source: what to call it.
        by_class: (c,) annotations, labels or pixels.
        mean_score: of them all; None where there are no scores.
    """

    source: str
    by_class: NDArray[np.int64]
    mean_score: float | None = None

    @property
    def shares(self) -> NDArray[np.float64]:
        """The (c,) shares of the classes."""
        return self.by_class / max(1, int(self.by_class.sum()))

    @classmethod
    def of_report(
        cls, source: str, report: dict[str, Any], unit: str, names: Sequence[str]
    ) -> Amounts:
        """Return the amounts in the report of a round's filter, which has classes by name."""
        counts = report[unit]["out_by_class"]
        return cls(source, np.array([counts[name] for name in names]), report["mean_score"])


def alarms_of(
    silver: Amounts, others: Sequence[Amounts], names: Sequence[str], factor: float
) -> list[str]:
    """Return what is odd about silver beside gold and beside the silver of the round before.

    Args:
        silver: what the filter kept.
        others: what to compare it with.
        names: of the classes.
        factor: how many times larger or smaller a class's share may be.
    """
    found = []
    total = int(silver.by_class.sum())
    for other in others:
        for name, share, theirs in zip(names, silver.shares, other.shares, strict=True):
            said = f"class {name!r} is {share:.1%} of silver and {theirs:.1%} of {other.source}"
            if theirs * total >= FEWEST and share * factor < theirs:
                found.append(f"{said}: it collapses")
            elif theirs and share * total >= FEWEST and share > theirs * factor:
                found.append(f"{said}: it explodes")
        rises = other.mean_score is not None and total > other.by_class.sum()
        if rises and (silver.mean_score or 0.0) < (other.mean_score or 0.0):
            found.append(
                f"there is more silver than in {other.source} ({total:,} after "
                f"{int(other.by_class.sum()):,}), and its mean score is lower "
                f"({silver.mean_score:.3f} after {other.mean_score:.3f})"
            )
    return found
