"""Score thresholds per class, chosen on the split tuning, which the teacher was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.errors import ParamsError
from pseudolabel.core.files import write_csv
from pseudolabel.core.records import Category
from pseudolabel.params.filter import Auto, Filter
from pseudolabel.silver.calibration import best_temperature, scale_labels, write_reliability
from pseudolabel.silver.matching import ScoredLabels, precision_recall_f1

_THRESHOLD_GRID = np.round(np.arange(0, 1.0001, 0.01), 2)
"""The thresholds to choose from: 0, 0.01 ... 1."""
_FEWEST_LABELS = 20
"""The threshold of a class with fewer gold labels than this is a mean with that of all classes."""
_AS_GOOD = 0.99
"""Thresholds with at least this share of the best F1 count as equally good."""
_CURVES, _RELIABILITY = "thresholds.csv", "reliability.csv"


@dataclass(frozen=True)
class _Curve:
    """The effect of each threshold of the grid.

    Attributes:
        hits: (k,) number of kept labels that are right.
        given: (k,) number of kept labels.
        totals: (k,) number of gold labels, the same for all thresholds.
    """

    hits: NDArray[np.float64]
    given: NDArray[np.float64]
    totals: NDArray[np.float64]

    @classmethod
    def from_labels(
        cls, labels: ScoredLabels, temperature: float, classes: NDArray[np.bool_]
    ) -> _Curve:
        """Return the curve of some classes together.

        Args:
            labels: labels that were compared with gold.
            temperature: to scale their scores by.
            classes: (c,) mask of the classes.
        """
        rows = classes[labels.classes]
        scores = scale_labels(labels, temperature)[rows]
        order = np.argsort(scores)
        # A threshold keeps scores equal to it, so both must have the same precision: float32.
        first = np.searchsorted(scores[order], _THRESHOLD_GRID.astype(np.float32))
        amounts = labels.amounts[rows][order]
        hits = amounts * labels.hits[rows][order]
        totals = np.full(len(_THRESHOLD_GRID), labels.totals[classes].sum())
        return cls(_sums_from(hits, first), _sums_from(amounts, first), totals)

    @property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """Precision, recall, F1, and kept labels per gold label (`share`), (k,) each."""
        precision, recall, f1 = precision_recall_f1(self.hits, self.given, self.totals)
        zeros = np.zeros_like(self.given)
        share = np.divide(self.given, self.totals, out=zeros, where=self.totals > 0)
        return {"precision": precision, "recall": recall, "f1": f1, "share": share}

    def best(self, wanted: Auto) -> int:
        """Return the row of the grid that meets an aim best.

        Precision: the lowest threshold that reaches it, or the one with the highest precision.
        Share: the threshold with the nearest share. F1: the middle of all equally good thresholds.
        """
        values = self.values
        if wanted.at is None:
            good = np.flatnonzero(values["f1"] >= _AS_GOOD * values["f1"].max())
            return int(good[len(good) // 2])
        if wanted.aim == "precision":
            reached = np.flatnonzero(values["precision"] >= wanted.at)
            return int(reached[0] if len(reached) else values["precision"].argmax())
        return int(np.abs(values["share"] - wanted.at).argmin())

    def __getitem__(self, row: int) -> _Curve:
        """Return the curve of a single threshold."""
        return _Curve(self.hits[[row]], self.given[[row]], self.totals[[row]])

    def __add__(self, other: _Curve) -> _Curve:
        """Return the curve of two sets of labels together."""
        return _Curve(self.hits + other.hits, self.given + other.given, self.totals + other.totals)

    def at(self, row: int) -> dict[str, float]:
        """Return the values of one row of the grid, to four places."""
        return {name: round(float(column[row]), 4) for name, column in self.values.items()}


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a round.

    Attributes:
        temperature: of the scores; 1 leaves them unchanged.
        by_class: the threshold of each class by name, chosen or from the parameters.
        report: JSON values: precision, recall, F1 and share of the thresholds on tuning.
    """

    temperature: float
    by_class: dict[str, float]
    report: dict[str, object]


def choose_thresholds(
    labels: ScoredLabels, categories: Sequence[Category], section: Filter, output: Path
) -> Thresholds:
    """Choose a threshold for each class, and write the curves of all thresholds.

    Args:
        labels: the teacher's labels on tuning, compared with gold.
        categories: the classes.
        section: the section `filter`: thresholds or an aim, and whether to calibrate scores first.
        output: the folder to write thresholds.csv and reliability.csv to.

    Raises:
        ParamsError: thresholds are given by class, but not for exactly the classes of the data.
    """
    names = [category.name for category in categories]
    temperature = best_temperature(labels) if section.calibrate else 1.0
    together = _Curve.from_labels(labels, temperature, np.ones(len(names), bool))
    curves = {
        name: _Curve.from_labels(labels, temperature, np.arange(len(names)) == index)
        for index, name in enumerate(names)
    }
    few = [name for name, total in zip(names, labels.totals, strict=True) if total < _FEWEST_LABELS]
    if section.score == "auto":
        values = _smoothed_thresholds(curves, together, labels, section.auto)
    else:
        values = class_thresholds(section.threshold, categories).round(6).tolist()
    by_class = {name: round(value, 6) for name, value in zip(names, values, strict=True)}
    rows = {name: int(np.abs(_THRESHOLD_GRID - value).argmin()) for name, value in by_class.items()}
    _write_curves(output / _CURVES, {"all classes": together} | curves, rows)
    write_reliability(output / _RELIABILITY, labels, temperature, section.calibrate)
    chosen = {name: curve[rows[name]] for name, curve in curves.items()}
    report: dict[str, object] = {
        "temperature": temperature,
        "too_few_labels": few,
        "together": reduce(add, chosen.values()).at(0),
        "classes": {name: {"threshold": by_class[name]} | chosen[name].at(0) for name in names},
    }
    return Thresholds(temperature, by_class, report)


def _smoothed_thresholds(
    curves: Mapping[str, _Curve], together: _Curve, labels: ScoredLabels, wanted: Auto
) -> list[float]:
    """Return the threshold of each class, drawn towards that of all classes if it has few labels.

    With n gold labels of _FEWEST_LABELS, its own threshold has the weight n / _FEWEST_LABELS.
    """
    own = _THRESHOLD_GRID[[curve.best(wanted) for curve in curves.values()]]
    weights = np.minimum(1, labels.totals / _FEWEST_LABELS)
    shared = _THRESHOLD_GRID[together.best(wanted)]
    smoothed: list[float] = (weights * own + (1 - weights) * shared).round(2).tolist()
    return smoothed


def class_thresholds(
    score: float | dict[str, float], categories: Sequence[Category], name: str = "score"
) -> NDArray[np.float32]:
    """Return the (c,) score threshold of each class.

    Args:
        score: one threshold for all classes, or one per class name.
        categories: the classes.
        name: of the parameter in the section `filter`, for messages.

    Raises:
        ParamsError: thresholds are given by class, but not for exactly the classes of the data.
    """
    names = [category.name for category in categories]
    if not isinstance(score, dict):
        return np.full(len(names), score, np.float32)
    if set(score) != set(names):
        expected, found = ", ".join(names), ", ".join(score)
        raise ParamsError(
            f"filter.{name}: expected a threshold for each of {expected}; found {found}"
        )
    return np.array([score[name] for name in names], np.float32)


def _sums_from(amounts: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the (k,) sums of amounts from each index to the end."""
    sums: NDArray[np.float64] = np.concatenate([np.cumsum(amounts[::-1])[::-1], [0.0]])
    return sums[first]


def _write_curves(path: Path, curves: Mapping[str, _Curve], chosen: Mapping[str, int]) -> None:
    """Write every curve as CSV: one row per class and threshold; chosen thresholds are marked."""
    lines = []
    for name, curve in curves.items():
        values = curve.values
        for row, threshold in enumerate(_THRESHOLD_GRID.tolist()):
            line = {"class": name, "threshold": threshold, "chosen": int(chosen.get(name) == row)}
            line |= {key: round(float(column[row]), 4) for key, column in values.items()}
            lines.append(line)
    write_csv(path, lines)
