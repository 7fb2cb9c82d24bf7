"""Splitting gold into similar parts: stratified by many traits, each group in one part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from iterstrat.ml_stratifiers import IterativeStratification
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Dataset
from pseudolabel.splits.distributions import Distribution, distributions_of, mean_deviation

_CANDIDATES = 16
"""Stratifications to draw; the one with the smallest deviation is taken."""

Parts = NDArray[np.int64]


def assign_parts(
    dataset: Dataset, groups: NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> Parts:
    """Return the part of each image, so that all parts have similar distributions.

    The candidates are several iterative stratifications (Sechidis et al. 2011) and one plain random
    split. The candidate whose parts differ least from the whole data set is taken. A difference in
    the number of images counts as much as the difference of any other share.

    Args:
        dataset: the images with their annotations.
        groups: (n,) group of each image; a group stays in one part.
        shares: the share of images for each part; they add up to 1.
        rng: source of randomness.

    Returns:
        (n,) number of each image's part.

    Raises:
        DataError: there are fewer groups than parts.
    """
    _, units = np.unique(groups, return_inverse=True)
    unit_count, image_count = int(units.max(initial=-1)) + 1, len(units)
    if unit_count < len(shares):
        expected = f"at least {len(shares)} images that are neither duplicates nor of one group"
        raise DataError(
            [Fault("gold", "images", expected, f"{unit_count} of {image_count} images")]
        )
    found = [
        distribution for distribution in distributions_of(dataset) if len(distribution.bins) > 1
    ]
    bins = sum(len(distribution.bins) for distribution in found)

    def error(candidate: Parts) -> float:
        sizes = np.bincount(candidate, minlength=len(shares)) / image_count
        parts = [candidate == part for part in range(len(shares))]
        return mean_deviation(found, parts) * bins + float(np.abs(sizes - shares).mean())

    labels = _unit_labels(found, units, unit_count)
    candidates = _draw_candidates(labels, units, np.asarray(shares), rng)
    complete = [candidate for candidate in candidates if len(np.unique(candidate)) == len(shares)]
    return min(complete, key=error)


def _unit_labels(
    distributions: Sequence[Distribution], units: Parts, unit_count: int
) -> NDArray[np.bool_]:
    """Return the (u, l) labels that units (groups of images) are stratified by.

    Each bin gives two labels. The first says whether the unit has any value in the bin. The second
    says whether it has more values than the median of the units that have any.
    """
    columns = []
    for distribution in distributions:
        counts = np.zeros((unit_count, len(distribution.bins)), np.float32)
        np.add.at(counts, units, distribution.counts)
        for column in counts.T:
            has_any = column > 0
            if has_any.any():
                columns += [has_any, column > np.median(column[has_any])]
    return np.stack(columns, axis=1) if columns else np.zeros((unit_count, 1), bool)


def _draw_candidates(
    labels: NDArray[np.bool_], units: Parts, shares: NDArray[np.float64], rng: np.random.Generator
) -> list[Parts]:
    """Return candidates for the parts of all images: stratified ones and a plain random one."""
    drawn = []
    for _ in range(_CANDIDATES):
        state = np.random.RandomState(int(rng.integers(2**31)))
        drawn.append(IterativeStratification(labels, shares, state))
    count = len(labels)
    # Each part gets at least one unit, and its share of all units, rounded.
    ends = np.maximum(np.round(np.cumsum(shares) * count), np.arange(1, len(shares) + 1))
    ends = np.minimum(ends, count - np.arange(len(shares))[::-1])
    plain = np.empty(count, np.int64)
    plain[rng.permutation(count)] = np.searchsorted(ends, np.arange(count), "right")
    return [parts[units].astype(np.int64) for parts in [*drawn, plain]]
