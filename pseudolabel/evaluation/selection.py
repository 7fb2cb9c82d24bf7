"""Choose the weights of a training: those with the best score, with `evaluate.select: best`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.errors import ModelError
from pseudolabel.evaluation.history import SELECTION, Row
from pseudolabel.formats.model_folder import WEIGHTS, kept_weights, own_iterations


@dataclass(frozen=True)
class Selection:
    """The weights of a training that become its model.

    Attributes:
        weights: the name of their file in the model folder.
        row: for the history: the split, the chosen iteration, and the score of each one; None if
            there was no choice.
    """

    weights: str
    row: Row | None


def select_weights(model: Path, split: str, score: Callable[[str], float | None]) -> Selection:
    """Return the best ones of the weights that a model's training kept.

    Of equal ones, the later ones are chosen. Weights without a score are worse than all others.

    Args:
        model: the model folder.
        split: the split that the weights are scored on, for the history.
        score: returns the score of a file of weights, given its name.

    Raises:
        ModelError: weights have no record of their training.
    """
    files = kept_weights(model)
    iterations = [own_iterations(file) for file in files]
    scores = [score(file.name) for file in files]
    known = [-1.0 if value is None else value for value in scores]
    best = max(range(len(files)), key=lambda index: (known[index], index))
    curve = [
        {"iteration": iteration, "score": value}
        for iteration, value in zip(iterations, scores, strict=True)
    ]
    row: Row = {"split": split, "iteration": iterations[best], "curve": curve}
    print(_describe(row), flush=True)
    return Selection(files[best].name, row)


def weights_like(model: Path, row: Row) -> str:
    """Return the weights of a training that are of the iteration that the last round chose.

    Args:
        model: the model folder of a training with the schedule of the last round.
        row: the row of the last round in the history.

    Raises:
        ModelError: the training kept no weights of this iteration.
    """
    if SELECTION not in row:
        return WEIGHTS
    wanted = row[SELECTION]["iteration"]
    iterations = {own_iterations(file): file.name for file in kept_weights(model)}
    if wanted not in iterations:
        found = ", ".join(map(str, iterations))
        raise ModelError(f"{model}: expected weights of iteration {wanted}, found {found}")
    print(f"taken: the weights of iteration {wanted}, which the last round chose", flush=True)
    return iterations[wanted]


def _describe(row: Row) -> str:
    """Return a line with the chosen iteration, and the scores of all."""
    scores = ", ".join(
        f"{point['iteration']}: " + ("-" if point["score"] is None else f"{point['score']:.4f}")
        for point in row["curve"]
    )
    return f"chosen: the weights of iteration {row['iteration']} ({row['split']}: {scores})"
