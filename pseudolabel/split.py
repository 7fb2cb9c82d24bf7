"""Splitting gold into parts that are alike: stratified by many traits, groups kept whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from iterstrat.ml_stratifiers import IterativeStratification
from numpy.typing import NDArray

from pseudolabel.distributions import Distribution, distributions_of, mean_deviation
from pseudolabel.errors import DataError, Fault
from pseudolabel.records import Dataset

TRIES = 16
"""Stratifications that are drawn; the one that deviates least is taken."""

Parts = NDArray[np.int64]


def assign_parts(
    dataset: Dataset, groups: NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> Parts:
    """Return the part of each image, so that the parts are made up alike.

    Several iterative stratifications (Sechidis et al. 2011) are drawn, one plain random split
    beside them, and the one whose parts differ least from the whole is taken. Differences in the
    number of images count like those of any other share.

    Args:
        dataset: the images with their annotations.
        groups: (n,) group of each image; a group stays in one part.
        shares: of the images that each part is to have; they add up to 1.
        rng: source of randomness.

    Returns:
        (n,) number of each image's part.

    Raises:
        DataError: there are fewer groups than parts.
    """
    _, unit = np.unique(groups, return_inverse=True)
    units, count = int(unit.max(initial=-1)) + 1, len(unit)
    if units < len(shares):
        expected = f"at least {len(shares)} images that are no duplicates or of one group"
        raise DataError([Fault("gold", "images", expected, f"{units} of {count} images")])
    found = [it for it in distributions_of(dataset) if len(it.bins) > 1]
    bins = sum(len(it.bins) for it in found)

    def error(candidate: Parts) -> float:
        sizes = np.bincount(candidate, minlength=len(shares)) / count
        parts = [candidate == part for part in range(len(shares))]
        return mean_deviation(found, parts) * bins + float(np.abs(sizes - shares).mean())

    drawn = candidates(strata(found, unit, units), unit, np.asarray(shares), rng)
    return min((it for it in drawn if len(np.unique(it)) == len(shares)), key=error)


def strata(found: Sequence[Distribution], unit: Parts, units: int) -> NDArray[np.bool_]:
    """Return the (u, l) labels that units are stratified by.

    For every bin: whether the unit has any of it, and whether it has more than most that have any.
    """
    columns = []
    for it in found:
        counts = np.zeros((units, len(it.bins)), np.float32)
        np.add.at(counts, unit, it.counts)
        for column in counts.T:
            some = column > 0
            if some.any():
                columns += [some, column > np.median(column[some])]
    return np.stack(columns, axis=1) if columns else np.zeros((units, 1), bool)


def candidates(
    labels: NDArray[np.bool_], unit: Parts, shares: NDArray[np.float64], rng: np.random.Generator
) -> list[Parts]:
    """Return drawn parts of the images: stratified ones, and one that is plainly random."""
    drawn = []
    for _ in range(TRIES):
        state = np.random.RandomState(int(rng.integers(2**31)))
        drawn.append(IterativeStratification(labels, shares, state))
    units = len(labels)
    # Each part gets a unit at least, and its share of all in whole units.
    ends = np.maximum(np.round(np.cumsum(shares) * units), np.arange(1, len(shares) + 1))
    ends = np.minimum(ends, units - np.arange(len(shares))[::-1])
    plain = np.empty(units, np.int64)
    plain[rng.permutation(units)] = np.searchsorted(ends, np.arange(units), "right")
    return [parts[unit].astype(np.int64) for parts in [*drawn, plain]]
