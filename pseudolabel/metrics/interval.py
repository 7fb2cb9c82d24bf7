"""How sure a difference between two models is: a paired bootstrap over the images of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pseudolabel.metrics.scorer import Scorer

MOST_DRAWS, FEWEST_DRAWS = 1000, 200
IMAGES = 1_000_000
"""Images in all draws together, within these bounds: a larger split takes no longer to redraw."""
LEVEL = 0.95


def draws_of(images: int, seed: int) -> NDArray[np.int64]:
    """Return (d, n) rows of images, each draw with replacement (Efron 1979), d 200 to 1,000."""
    draws = min(MOST_DRAWS, max(FEWEST_DRAWS, IMAGES // max(1, images)))
    return np.random.default_rng(seed).integers(0, images, (draws, images))


def gain_interval(
    now: Scorer, before: Scorer, images: int, seed: int
) -> tuple[float, float] | None:
    """Return the 95% interval of the gain in the main metric between two models on one split.

    Both models are scored on the same draws of images; the interval leaves 2.5% of the differences
    on each side (percentile bootstrap, Efron 1979). It says how far the gain hangs on the images of
    the split, not how much another seed would give.

    Args:
        now: what one model found.
        before: what the other one found, on the same split.
        images: of the split.
        seed: of the draws.

    Returns:
        the ends of the interval, None where nothing could be measured.
    """
    draws = draws_of(images, seed)
    return interval_of(now.resampled(draws) - before.resampled(draws))


def interval_of(gains: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the ends between which 95% of the gains lie; None where none is a number."""
    measured = gains[~np.isnan(gains)]
    if not measured.size:
        return None
    low, high = np.quantile(measured, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return round(float(low), 6), round(float(high), 6)
