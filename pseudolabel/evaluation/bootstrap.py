"""The confidence interval of a gain: a paired bootstrap over the images of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pseudolabel.evaluation.scorer import Scorer

_MOST_DRAWS, _FEWEST_DRAWS = 1000, 200
_IMAGES_REDRAWN = 1_000_000
"""Images in all draws together, within these bounds: it limits the time for large splits."""
_LEVEL = 0.95


def draw_images(images: int, seed: int) -> NDArray[np.int64]:
    """Return (d, n) rows of images: d draws with replacement (Efron 1979), from 200 to 1,000."""
    draws = min(_MOST_DRAWS, max(_FEWEST_DRAWS, _IMAGES_REDRAWN // max(1, images)))
    return np.random.default_rng(seed).integers(0, images, (draws, images))


def gain_interval(
    now: Scorer, before: Scorer, images: int, seed: int
) -> tuple[float, float] | None:
    """Return the 95% interval of the gain in the main metric between two models on one split.

    Both models are scored on the same draws of images. The interval leaves out 2.5% of the gains
    on each side (percentile bootstrap, Efron 1979). It shows how much the gain depends on the
    images of the split. It does not include the variation between training seeds.

    Args:
        now: the scorer of the new model.
        before: the scorer of the other model, on the same split.
        images: number of images of the split.
        seed: of the draws.

    Returns:
        The ends of the interval; None if no draw has a score.
    """
    draws = draw_images(images, seed)
    return percentile_interval(now.resampled(draws) - before.resampled(draws))


def percentile_interval(gains: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 2.5% and 97.5% percentiles of the gains; None if all of them are NaN."""
    measured = gains[~np.isnan(gains)]
    if not measured.size:
        return None
    low, high = np.quantile(measured, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return round(float(low), 6), round(float(high), 6)
