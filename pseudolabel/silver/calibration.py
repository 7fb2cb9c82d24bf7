"""Calibration: scale scores by a temperature, and measure how often labels of a score are right.

Above 1, a temperature lowers high scores; below 1, it raises them (Guo et al. 2017).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, xlog1py, xlogy

from pseudolabel.core.files import write_csv
from pseudolabel.silver.matching import ScoredLabels

_SCORE_MARGIN = 1e-6
"""Scores are kept this far from 0 and 1, whose logits are infinite."""
_LARGEST_TEMPERATURE = 20.0
"""Temperatures are searched between the inverse of this value and this value."""
_RELIABILITY_BINS = 15
"""Bins of the reliability plot, as in Guo et al. 2017."""

Scores = NDArray[np.float32]


def scale_scores(scores: NDArray[np.floating[Any]], temperature: float) -> Scores:
    """Return (n,) scores with their logits divided by a temperature."""
    if temperature == 1:
        return scores.astype(np.float32, copy=False)
    clipped = np.clip(scores.astype(np.float64), _SCORE_MARGIN, 1 - _SCORE_MARGIN)
    scaled: NDArray[np.float64] = expit(logit(clipped) / temperature)
    return scaled.astype(np.float32)


def scale_probabilities(values: Scores, temperature: float) -> Scores:
    """Return (n, c) probabilities with their logits divided by a temperature."""
    if temperature == 1:
        return values
    # An image without a prediction has zeros, and keeps them.
    highest = np.where(values.any(axis=1), values.max(axis=1), 1)[:, None]
    powers = (values / highest).astype(np.float64) ** (1 / temperature)
    sums = np.where(values.any(axis=1), powers.sum(axis=1), 1)[:, None]
    return (powers / sums).astype(np.float32)


def best_temperature(labels: ScoredLabels) -> float:
    """Return the temperature at which scores fit best to the labels that are right.

    It minimises the mean negative log-likelihood of each label being right or wrong.
    """
    if not len(labels.hits):
        return 1.0

    def loss(log_temperature: float) -> float:
        scores = scale_labels(labels, float(np.exp(log_temperature))).astype(np.float64)
        scores = np.clip(scores, _SCORE_MARGIN, 1 - _SCORE_MARGIN)
        right, wrong = xlogy(labels.hits, scores), xlog1py(~labels.hits, -scores)
        return -float((labels.amounts * (right + wrong)).sum() / labels.amounts.sum())

    limit = float(np.log(_LARGEST_TEMPERATURE))
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded")
    return round(float(np.exp(found.x)), 4)


def scale_labels(labels: ScoredLabels, temperature: float) -> Scores:
    """Return the (m,) scores of labels, scaled by a temperature."""
    if labels.probabilities is None:
        return scale_scores(labels.scores, temperature)
    highest: Scores = scale_probabilities(labels.probabilities, temperature).max(axis=1)
    return highest


def write_reliability(
    path: Path, labels: ScoredLabels, temperature: float, calibrated: bool
) -> None:
    """Write the bins of the reliability plot as CSV, before and after scores are scaled."""
    lines = [{"scores": "as given"} | row for row in _reliability(labels, 1.0)]
    if calibrated:
        lines += [{"scores": "scaled"} | row for row in _reliability(labels, temperature)]
    write_csv(path, lines)


def _reliability(labels: ScoredLabels, temperature: float) -> list[dict[str, float]]:
    """Return the bins of a reliability plot: mean score, share of right labels, number of labels.

    Args:
        labels: labels that were compared with gold.
        temperature: of their scores.
    """
    scores = scale_labels(labels, temperature).astype(np.float64)
    bins = np.minimum((scores * _RELIABILITY_BINS).astype(np.int64), _RELIABILITY_BINS - 1)
    amounts = np.bincount(bins, labels.amounts, _RELIABILITY_BINS)
    means = np.bincount(bins, labels.amounts * scores, _RELIABILITY_BINS)
    hits = np.bincount(bins, labels.amounts * labels.hits, _RELIABILITY_BINS)
    return [
        {
            "score": round(float(means[row] / amounts[row]), 4),
            "right": round(float(hits[row] / amounts[row]), 4),
            "labels": round(float(amounts[row])),
        }
        for row in np.flatnonzero(amounts)
    ]
