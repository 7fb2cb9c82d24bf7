"""How a data set is made up, as shares: what splits are balanced by and compared in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.records import Dataset

BINS = 4
"""Parts of equal size that a measure, as the size of boxes, is cut into."""

Measure = NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """One trait of a data set's images or annotations.

    Attributes:
        name: of the trait, as `class` or `box size`.
        bins: (b,) what each bin holds, in words.
        counts: (n, b) how often each of n images falls into each bin.
    """

    name: str
    bins: tuple[str, ...]
    counts: NDArray[np.float32]

    def shares(self, rows: NDArray[np.bool_]) -> Measure:
        """Return the (b,) shares of the bins among some images, 0 where they have nothing."""
        totals = self.counts[rows].sum(axis=0, dtype=np.float64)
        return totals / max(1.0, totals.sum())


def distributions_of(dataset: Dataset) -> list[Distribution]:
    """Return the distributions of a data set; a trait that it has not has no bins.

    They are those of classes, of labels an image, of the aspect ratios of boxes, of the sizes of
    labels and of images (the roots of their areas), and of how much of an image its labels cover
    (boxes and masks that overlap count twice). Measures are cut at their quartiles.
    """
    images, rows = dataset.images, dataset.annotations
    count = len(images)
    order = np.argsort(images.ids, kind="stable")
    owners = order[np.searchsorted(images.ids[order], rows.image_ids)]
    names = tuple(category.name for category in dataset.categories)
    ids = np.array([category.id for category in dataset.categories], np.int64)
    every = np.arange(count)
    sides = (rows.boxes_xyxy[:, 2:] - rows.boxes_xyxy[:, :2]).astype(np.float64)
    pixels = images.widths.astype(np.float64) * images.heights
    covered = np.bincount(owners, rows.areas.astype(np.float64), minlength=count) / pixels
    classes = tally(owners, np.searchsorted(ids, rows.category_ids), count)
    missing = len(names) - classes.shape[1]
    return [
        Distribution("class", names, np.pad(classes, ((0, 0), (0, missing)))),
        binned("labels an image", every, np.bincount(owners, minlength=count), count),
        binned("box width to height", owners, sides[:, 0] / sides[:, 1], count),
        binned("label side (px)", owners, np.sqrt(rows.areas.astype(np.float64)), count),
        binned("image side (px)", every, np.sqrt(pixels), count),
        binned("share covered", every, covered, count),
    ]


def tally(owners: NDArray[np.int64], bins: NDArray[np.int64], images: int) -> NDArray[np.float32]:
    """Return the (images, b) counts of rows by the image that has each and the bin it is in."""
    width = int(bins.max(initial=-1)) + 1
    flat = np.bincount(owners * width + bins, minlength=images * width)
    return flat.reshape(images, width).astype(np.float32)


def binned(
    name: str,
    owners: NDArray[np.int64],
    values: NDArray[np.floating] | NDArray[np.int64],
    images: int,
) -> Distribution:
    """Return the distribution of a measure, cut at its quartiles; rows without a value are out."""
    known = np.isfinite(values)
    values, owners = np.asarray(values, np.float64)[known], owners[known]
    if not len(values):
        return Distribution(name, (), np.zeros((images, 0), np.float32))
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(values, inner, method="higher"))
    edges = edges[edges > values.min()]
    counts = tally(owners, np.searchsorted(edges, values, "right"), images)
    bounds = [f"{edge:.3g}" for edge in edges]
    labels = [f"below {bounds[0]}", *(f"from {it}" for it in bounds)] if bounds else ["all"]
    return Distribution(name, tuple(labels), counts)


def deviations(
    found: Sequence[Distribution], rows: NDArray[np.bool_]
) -> list[tuple[str, str, float]]:
    """Return by how much each bin's share among some images differs from that among all.

    Distributions of a single bin are left out: no split can change them.

    Returns:
        Name of the distribution, bin and absolute difference of shares, in order.
    """
    everything = np.ones(len(rows), bool)
    return [
        (it.name, label, float(difference))
        for it in found
        if len(it.bins) > 1
        for label, difference in zip(
            it.bins, np.abs(it.shares(rows) - it.shares(everything)), strict=True
        )
    ]


def mean_deviation(found: Sequence[Distribution], parts: Sequence[NDArray[np.bool_]]) -> float:
    """Return the mean deviation over parts and bins, 0 where there is nothing to compare."""
    values = [value for rows in parts for _, _, value in deviations(found, rows)]
    return float(np.mean(values)) if values else 0.0
