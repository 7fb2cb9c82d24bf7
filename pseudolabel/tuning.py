"""Thresholds and a temperature chosen on held-out gold, which the teacher never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import xlog1py, xlogy

from pseudolabel.files import write_csv
from pseudolabel.filters.counts import thresholds_of
from pseudolabel.params.filtering import Auto, Filter
from pseudolabel.quality import Trials, quality
from pseudolabel.records import Category
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
        hits: (k,) how much of what is kept is right.
        given: (k,) how much is kept.
        truths: (k,) how much there is to find, the same throughout.
    """

    hits: NDArray[np.float64]
    given: NDArray[np.float64]
    truths: NDArray[np.float64]

    @classmethod
    def of(cls, trials: Trials, temperature: float, classes: NDArray[np.bool_]) -> Curve:
        """Return the curve of some classes taken together, a (c,) mask."""
        rows = classes[trials.classes]
        scores = trials.scores_at(temperature)[rows]
        order = np.argsort(scores)
        # A threshold keeps its equals; scores are float32, and so must the thresholds be.
        first = np.searchsorted(scores[order], GRID.astype(np.float32))
        amounts = trials.amounts[rows][order]
        truths = np.full(len(GRID), trials.truths[classes].sum())
        return cls(above(amounts * trials.hits[rows][order], first), above(amounts, first), truths)

    @property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """Precision, recall, F1, and the labels kept for each one there is to find, (k,) each."""
        precision, recall, f1 = quality(self.hits, self.given, self.truths)
        nothing = np.zeros_like(self.given)
        share = np.divide(self.given, self.truths, out=nothing, where=self.truths > 0)
        return {"precision": precision, "recall": recall, "f1": f1, "share": share}

    def best(self, wanted: Auto) -> int:
        """Return which of GRID is wanted.

        For a precision, the lowest that reaches it, or else the one that comes nearest; for a
        share, the one that comes nearest; for F1, the middle of those that are as good as the best.
        """
        values = self.values
        if wanted.at is None:
            good = np.flatnonzero(values["f1"] >= AS_GOOD * values["f1"].max())
            return int(good[len(good) // 2])
        if wanted.aim == "precision":
            reached = np.flatnonzero(values["precision"] >= wanted.at)
            return int(reached[0] if len(reached) else values["precision"].argmax())
        return int(np.abs(values["share"] - wanted.at).argmin())

    def __getitem__(self, at: int) -> Curve:
        """Return the curve of one threshold alone."""
        return Curve(self.hits[[at]], self.given[[at]], self.truths[[at]])

    def __add__(self, other: Curve) -> Curve:
        """Return two curves of other labels taken together."""
        return Curve(self.hits + other.hits, self.given + other.given, self.truths + other.truths)


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
        thresholds: of each class by name, as they were chosen or given.
    """

    temperature: float
    thresholds: dict[str, float]


def tune(
    trials: Trials, categories: Sequence[Category], section: Filter, output: Path
) -> tuple[Tuned, dict[str, object]]:
    """Choose a threshold for each class, and write the curves that it was chosen from.

    Args:
        trials: the teacher's labels on images that it never saw.
        categories: the classes.
        section: the thresholds or what they aim at, and whether scores get a temperature first.
        output: the folder to write thresholds.csv and reliability.csv to.

    Returns:
        What was chosen, and JSON values that say how good it is on these images.

    Raises:
        ParamsError: thresholds are given by class, and not for every class or for unknown ones.
    """
    names = [category.name for category in categories]
    temperature = best_temperature(trials) if section.calibrate else 1.0
    everyone = np.ones(len(names), bool)
    together = Curve.of(trials, temperature, everyone)
    curves = {
        name: Curve.of(trials, temperature, np.arange(len(names)) == index)
        for index, name in enumerate(names)
    }
    few = [name for name, truths in zip(names, trials.truths, strict=True) if truths < FEWEST]
    if section.score == "auto":
        of_all = together.best(section.auto)
        best = [of_all if name in few else it.best(section.auto) for name, it in curves.items()]
        given = GRID[best].round(2).tolist()
    else:
        given = thresholds_of(section.threshold, categories).round(6).tolist()
    thresholds = {name: round(value, 6) for name, value in zip(names, given, strict=True)}
    rows = {name: int(np.abs(GRID - value).argmin()) for name, value in thresholds.items()}
    write_curves(output / CURVES, {"all classes": together} | curves, rows)
    write_reliability(output / RELIABILITY, trials, temperature, section.calibrate)
    taken = {name: curve[rows[name]] for name, curve in curves.items()}
    report: dict[str, object] = {
        "temperature": temperature,
        "too_few_to_tell": few,
        "together": rounded(reduce(add, taken.values())),
        "classes": {name: {"threshold": thresholds[name]} | rounded(taken[name]) for name in names},
    }
    return Tuned(temperature, thresholds), report


def rounded(curve: Curve, at: int = 0) -> dict[str, float]:
    """Return the values at one threshold of a curve, to four places."""
    return {name: round(float(column[at]), 4) for name, column in curve.values.items()}


def write_curves(path: Path, curves: Mapping[str, Curve], rows: Mapping[str, int]) -> None:
    """Write every curve, a row for each class and threshold, those that are taken marked."""
    lines = []
    for name, curve in curves.items():
        values = curve.values
        for row, threshold in enumerate(GRID.tolist()):
            line = {"class": name, "threshold": threshold, "chosen": int(rows.get(name) == row)}
            line |= {key: round(float(column[row]), 4) for key, column in values.items()}
            lines.append(line)
    write_csv(path, lines)


def write_reliability(path: Path, trials: Trials, temperature: float, calibrated: bool) -> None:
    """Write the bins of the reliability plot, before and after scores are scaled."""
    lines = [{"scores": "as given"} | row for row in reliability(trials, 1.0)]
    if calibrated:
        lines += [{"scores": "scaled"} | row for row in reliability(trials, temperature)]
    write_csv(path, lines)


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
