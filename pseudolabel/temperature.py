"""Scores at a temperature: milder above 1, bolder below (Guo et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

NEAREST = 1e-6
"""Scores are kept this far from 0 and 1, whose logits are infinite."""

Scores = NDArray[np.float32]


def tempered(scores: NDArray[np.floating[Any]], temperature: float) -> Scores:
    """Return (n,) scores, their logits divided by a temperature; above 1, it makes them milder."""
    if temperature == 1:
        return scores.astype(np.float32, copy=False)
    clipped = np.clip(scores.astype(np.float64), NEAREST, 1 - NEAREST)
    scaled: NDArray[np.float64] = expit(logit(clipped) / temperature)
    return scaled.astype(np.float32)


def tempered_probabilities(values: Scores, temperature: float) -> Scores:
    """Return (n, c) probabilities, their logits divided by a temperature."""
    if temperature == 1:
        return values
    powers = (values / values.max(axis=1, keepdims=True)).astype(np.float64) ** (1 / temperature)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def tempered_best(values: Scores, temperature: float) -> Scores:
    """Return the highest of each row of (n, c) probabilities at a temperature."""
    best: Scores = tempered_probabilities(values, temperature).max(axis=1)
    return best
