"""Test scores of each model of the lift benchmark on many draws of test images.

All models of a data set are scored on the same draws, so that differences between models can be
resampled later, when the models are gone. The draws are rows of a CSV beside that of the scores.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.lift_bench import Bench
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.bootstrap import draw_images
from pseudolabel.evaluation.history import outcome_path
from pseudolabel.formats.split_folder import SplitFolder

DRAWS = 400
_STEPS = 10_000
"""Scores are written as whole numbers of 1/10,000."""
_NO_SCORE = -1
_COLUMNS = ("dataset", "setting", "arm", "seed", "round", "scores")

Key = tuple[str, str, str, int, int]
"""Data set, setting, arm, seed and round."""


def draws_path(results: Path) -> Path:
    """Return the CSV of the draws that belongs to a CSV of scores."""
    return results.with_name(f"{results.stem}_draws.csv")


def score_draws(bench: Bench, arm: str, number: int) -> NDArray[np.float64]:
    """Return the main metric of a model on each draw of test images: (DRAWS,), NaN for none."""
    test = SplitFolder(bench.prepared() / "test")
    truth = test.read()
    scorer = SCORERS[bench.params.task](truth, test.path, bench.params)
    scorer.read(outcome_path(bench.run(arm, number).evaluation, number, "test"))
    return scorer.resampled(draw_images(len(truth.images), seed=0)[:DRAWS])


def append_draws(path: Path, key: Key, scores: NDArray[np.float64]) -> None:
    """Add the scores of a model to a CSV in one write, so that several processes can do it."""
    steps = np.where(np.isnan(scores), _NO_SCORE, np.rint(scores * _STEPS)).astype(int)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        header = "" if file.tell() else ",".join(_COLUMNS) + "\n"
        file.write(f"{header}{','.join(map(str, key))},{' '.join(map(str, steps))}\n")


def read_draws(path: Path) -> dict[Key, NDArray[np.float64]]:
    """Return the scores of each model; the last ones if it was scored more than once."""
    if not path.exists():
        return {}
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["dataset"], row["setting"], row["arm"], int(row["seed"]), int(row["round"])
            steps = np.array(row["scores"].split(), float)
            found[key] = np.where(steps == _NO_SCORE, np.nan, steps / _STEPS)
    return found
