"""The composition of a data set as shares: splits are balanced by them and compared in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.columns import positions
from pseudolabel.core.records import Dataset

_QUANTILE_BINS = 4
"""A continuous trait, such as the size of boxes, is cut into this number of bins of equal size."""


@dataclass(frozen=True)
class Distribution:
    """One trait of a data set's images or annotations.

    Attributes:
        name: of the trait, such as `class` or `label side (px)`.
        bins: (b,) name of each bin.
        counts: (n, b) number of values of each of n images in each bin.
    """

    name: str
    bins: tuple[str, ...]
    counts: NDArray[np.float32]

    def shares(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the (b,) share of each bin among some images; 0 if they have no values."""
        totals = self.counts[rows].sum(axis=0, dtype=np.float64)
        return totals / max(1.0, totals.sum())


def distributions_of(dataset: Dataset) -> list[Distribution]:
    """Return the distributions of a data set; traits that do not apply have no bins.

    The traits are the class, the labels per image, the aspect ratio of boxes, the side of labels
    and of images (the square root of the area), and the share of an image that its labels cover.
    Overlapping boxes and masks count twice in this share. Continuous traits are cut at their
    quartiles.
    """
    images, rows = dataset.images, dataset.annotations
    count = len(images)
    owners = positions(rows.image_ids, images.ids)
    every_image = np.arange(count)
    areas = rows.areas.astype(np.float64)
    sides = (rows.boxes_xyxy[:, 2:] - rows.boxes_xyxy[:, :2]).astype(np.float64)
    pixels = images.widths.astype(np.float64) * images.heights
    covered = np.bincount(owners, areas, minlength=count) / pixels
    labels = np.bincount(owners, minlength=count)
    return [
        _class_distribution(dataset, owners),
        _quartile_distribution("labels per image", every_image, labels, count),
        _quartile_distribution("box width to height", owners, sides[:, 0] / sides[:, 1], count),
        _quartile_distribution("label side (px)", owners, np.sqrt(areas), count),
        _quartile_distribution("image side (px)", every_image, np.sqrt(pixels), count),
        _quartile_distribution("share covered", every_image, covered, count),
    ]


def deviations(
    distributions: Sequence[Distribution], rows: NDArray[np.bool_]
) -> list[tuple[str, str, float]]:
    """Return how much each bin's share among some images differs from its share among all.

    Distributions of a single bin are left out: no split can change them.

    Args:
        distributions: the distributions of n images.
        rows: (n,) which images to compare with all of them.

    Returns:
        Name of the distribution, bin and absolute difference of shares, in order.
    """
    every_image = np.ones(len(rows), bool)
    return [
        (distribution.name, label, float(difference))
        for distribution in distributions
        if len(distribution.bins) > 1
        for label, difference in zip(
            distribution.bins,
            np.abs(distribution.shares(rows) - distribution.shares(every_image)),
            strict=True,
        )
    ]


def mean_deviation(
    distributions: Sequence[Distribution], parts: Sequence[NDArray[np.bool_]]
) -> float:
    """Return the mean deviation over parts and bins, 0 if there is nothing to compare."""
    values = [value for rows in parts for _, _, value in deviations(distributions, rows)]
    return float(np.mean(values)) if values else 0.0


def _class_distribution(dataset: Dataset, owners: NDArray[np.int64]) -> Distribution:
    names = tuple(dataset.class_names)
    counts = _count_bins(owners, dataset.class_indices, len(dataset.images))
    missing = len(names) - counts.shape[1]
    return Distribution("class", names, np.pad(counts, ((0, 0), (0, missing))))


def _quartile_distribution(
    name: str,
    owners: NDArray[np.int64],
    values: NDArray[np.floating] | NDArray[np.int64],
    images: int,
) -> Distribution:
    """Return the distribution of a continuous trait, cut at its quartiles.

    Values that are not finite are left out.

    Args:
        name: of the trait.
        owners: (m,) row of the image that each value belongs to.
        values: (m,) values.
        images: number of images.
    """
    known = np.isfinite(values)
    values, owners = np.asarray(values, np.float64)[known], owners[known]
    if not len(values):
        return Distribution(name, (), np.zeros((images, 0), np.float32))
    inner = np.linspace(0, 1, _QUANTILE_BINS + 1)[1:-1]
    edges = np.unique(np.quantile(values, inner, method="higher"))
    edges = edges[edges > values.min()]
    counts = _count_bins(owners, np.searchsorted(edges, values, "right"), images)
    bounds = [f"{edge:.3g}" for edge in edges]
    labels = [f"below {bounds[0]}", *(f"from {bound}" for bound in bounds)] if bounds else ["all"]
    return Distribution(name, tuple(labels), counts)


def _count_bins(
    owners: NDArray[np.int64], bins: NDArray[np.int64], images: int
) -> NDArray[np.float32]:
    """Return the (images, b) number of values of each image in each bin."""
    width = int(bins.max(initial=-1)) + 1
    flat = np.bincount(owners * width + bins, minlength=images * width)
    return flat.reshape(images, width).astype(np.float32)
