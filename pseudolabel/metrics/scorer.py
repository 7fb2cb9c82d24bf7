"""What all metrics have in common: predictions go in batch by batch, numbers come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Metrics = dict[str, float | None]
"""A value for each metric by name; None where there is nothing to measure it on."""
ByClass = dict[str, Metrics]
"""For each metric that classes have: its value for each class by name."""


class Scorer(Protocol):
    """Compares a model's predictions with gold.

    Attributes:
        main: the metric that rounds win by.
    """

    main: str

    def add(self, found: Any) -> None:
        """Count the predictions for some of the images."""

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the metrics over all that was added, and those of each class."""

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the main metric of each of (d, n) draws of images, by their rows in the split.

        NaN where a draw has nothing to measure it on.
        """

    def write(self, path: Path) -> None:
        """Write all that was added to a file, for `read`."""

    def read(self, path: Path) -> None:
        """Count what another scorer of the same split wrote."""
