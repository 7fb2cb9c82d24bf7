"""Thresholds and a temperature chosen on held-out gold, which the teacher never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import xlog1py, xlogy

from pseudolabel.files import write_csv
from pseudolabel.params.filtering import Auto, Filter
from pseudolabel.quality import Trials, quality
from pseudolabel.temperature import NEAREST

GRID = np.round(np.arange(0, 1.0001, 0.01), 2)
"""The thresholds that are tried."""
FEWEST = 20
"""A class with fewer labels to find takes the threshold of all classes together."""
AS_GOOD = 0.99
"""Thresholds whose F1 is this share of the best one or more are as good: the middle is taken."""
WIDEST = 20.0
"""Temperatures are looked for between its inverse and this."""
BINS = 15
"""Bins of a reliability plot, as Guo et al. have."""
CURVES, RELIABILITY = "thresholds.csv", "reliability.csv"


@dataclass(frozen=True)
class Curve:
    """What each threshold of GRID would give.

    Attributes:
        precision: (k,) share of right ones among the labels kept.
        recall: (k,) share of what there is to find.
        f1: (k,) their harmonic mean.
        share: (k,) labels kept for each one there is to find.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, trials: Trials, temperature: float, classes: NDArray[np.bool_]) -> Curve:
        """Return the curve of some classes taken together, a (c,) mask."""
        rows = classes[trials.classes]
        scores = trials.scores_at(temperature)[rows]
        order = np.argsort(scores)
        # A threshold keeps its equals; scores are float32, and so must the thresholds be.
        first = np.searchsorted(scores[order], GRID.astype(np.float32))
        amounts = trials.amounts[rows][order]
        given = above(amounts, first)
        hits = above(amounts * trials.hits[rows][order], first)
        truths = np.full(len(GRID), trials.truths[classes].sum())
        precision, recall, f1 = quality(hits, given, truths)
        share = np.divide(given, truths, out=np.zeros_like(given), where=truths > 0)
        return cls(precision, recall, f1, share)

    def best(self, wanted: Auto) -> int:
        """Return which of GRID is wanted.

        For a precision, the lowest that reaches it, or else the one that comes nearest; for a
        share, the one that comes nearest; for F1, the middle of those that are as good as the best.
        """
        if wanted.at is None:
            good = np.flatnonzero(self.f1 >= AS_GOOD * self.f1.max())
            return int(good[len(good) // 2])
        if wanted.aim == "precision":
            reached = np.flatnonzero(self.precision >= wanted.at)
            return int(reached[0] if len(reached) else self.precision.argmax())
        return int(np.abs(self.share - wanted.at).argmin())

    def at(self, index: int) -> dict[str, float]:
        """Return the values at one threshold."""
        values = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        values["share"] = self.share
        return {name: round(float(column[index]), 4) for name, column in values.items()}


def above(amounts: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of amounts from each of (k,) positions to the end."""
    sums = np.concatenate([np.cumsum(amounts[::-1])[::-1], [0.0]])
    found: NDArray[np.float64] = sums[first]
    return found


@dataclass(frozen=True)
class Tuned:
    """What was chosen.

    Attributes:
        temperature: of the scores; 1 leaves them as they are.
        thresholds: of each class by name.
    """

    temperature: float
    thresholds: dict[str, float]


def tune(
    trials: Trials, names: Sequence[str], section: Filter, output: Path
) -> tuple[Tuned, dict[str, object]]:
    """Choose a threshold for each class, and write the curves that it was chosen from.

    Args:
        trials: the teacher's labels on images that it never saw.
        names: of the classes.
        section: what is aimed at, and whether scores get a temperature first.
        output: the folder to write thresholds.csv and reliability.csv to.

    Returns:
        What was chosen, and JSON values that say how good it is on these images.
    """
    wanted = section.auto
    temperature = best_temperature(trials) if section.calibrate else 1.0
    everyone = np.ones(len(names), bool)
    together = Curve.of(trials, temperature, everyone)
    curves = {"all classes": (together, together.best(wanted))}
    few = trials.truths < FEWEST
    for index, name in enumerate(names):
        curve = Curve.of(trials, temperature, everyone & (np.arange(len(names)) == index))
        curves[name] = curve, curves["all classes"][1] if few[index] else curve.best(wanted)
    write_curves(output / CURVES, curves)
    before, after = reliability(trials, 1.0), reliability(trials, temperature)
    write_csv(
        output / RELIABILITY,
        [{"scores": "as given"} | row for row in before]
        + [{"scores": "scaled"} | row for row in (after if section.calibrate else [])],
    )
    chosen = {name: round(float(GRID[at]), 2) for name, (_, at) in curves.items()}
    classes = {name: {"threshold": chosen[name], **it.at(at)} for name, (it, at) in curves.items()}
    report: dict[str, object] = {"temperature": temperature, "classes": classes}
    report["too_few_to_tell"] = [name for name, rare in zip(names, few, strict=True) if rare]
    return Tuned(temperature, {name: chosen[name] for name in names}), report


def write_curves(path: Path, curves: dict[str, tuple[Curve, int]]) -> None:
    """Write every curve, a row for each class and threshold."""
    rows = [
        {"class": name, "threshold": float(GRID[row]), "chosen": int(row == at)} | curve.at(row)
        for name, (curve, at) in curves.items()
        for row in range(len(GRID))
    ]
    write_csv(path, rows)


def best_temperature(trials: Trials) -> float:
    """Return the temperature at which scores are the likeliest to be those of what was seen.

    It minimises the mean negative log-likelihood of labels being right or wrong.
    """
    if not len(trials.hits):
        return 1.0

    def loss(log_temperature: float) -> float:
        scores = trials.scores_at(float(np.exp(log_temperature))).astype(np.float64)
        scores = np.clip(scores, NEAREST, 1 - NEAREST)
        right, wrong = xlogy(trials.hits, scores), xlog1py(~trials.hits, -scores)
        return -float((trials.amounts * (right + wrong)).sum() / trials.amounts.sum())

    widest = float(np.log(WIDEST))
    found = minimize_scalar(loss, bounds=(-widest, widest), method="bounded")
    return round(float(np.exp(found.x)), 4)


def reliability(trials: Trials, temperature: float) -> list[dict[str, float]]:
    """Return the bins of a reliability plot: mean score, share of right labels, how many there are.

    Args:
        trials: labels that were compared with the truth.
        temperature: of their scores.
    """
    scores = trials.scores_at(temperature).astype(np.float64)
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    amounts = np.bincount(bins, trials.amounts, BINS)
    means = np.bincount(bins, trials.amounts * scores, BINS)
    hits = np.bincount(bins, trials.amounts * trials.hits, BINS)
    return [
        {
            "score": round(float(means[it] / amounts[it]), 4),
            "right": round(float(hits[it] / amounts[it]), 4),
            "labels": round(float(amounts[it])),
        }
        for it in np.flatnonzero(amounts)
    ]
