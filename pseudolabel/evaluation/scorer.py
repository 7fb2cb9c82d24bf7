"""The interface of the scorers: predictions are added batch by batch, metrics are returned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Metrics = dict[str, float | None]
"""The value of each metric by name; None if it is not defined, as for a class without labels."""
ByClass = dict[str, Metrics]
"""For each metric per class, its value for each class by name."""


class Scorer(Protocol):
    """Compares a model's predictions with gold.

    Attributes:
        main: the metric that rounds are compared by.
    """

    main: str

    def add(self, predictions: Any) -> None:
        """Add the predictions for some of the images."""

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the metrics over all predictions added, and the metrics of each class."""

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the (d,) main metric of draws of images; NaN if it is not defined for a draw.

        Args:
            draws: (d, n) rows of the split's n images.
        """

    def write(self, path: Path) -> None:
        """Write all predictions added, or their counts, to a file in the format that `read` reads.

        Boxes, masks and classes are written as Parquet, as in formats/shards.py; pixels as the
        confusion matrices of all images in .npy.
        """

    def read(self, path: Path) -> None:
        """Add the predictions that another scorer of the same split wrote."""


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return part / whole, element by element; NaN if the whole is 0."""
    undefined = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=undefined, where=whole > 0)


def mean_or_none(values: NDArray[np.float64]) -> float | None:
    """Return the mean of all values that are not NaN, to six places; None if there are none."""
    numbers = values[~np.isnan(values)]
    return round(float(numbers.mean()), 6) if numbers.size else None
