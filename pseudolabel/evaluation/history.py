"""The history of rounds: one row per round; an evaluation has the rows of all rounds up to it.

A row lists its metrics in `headline`. The first one is the main metric: rounds are compared by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

HISTORY, SPEED = "history.json", "speed.json"
REPORTED_SPLITS = ("val", "test")
SELECTION = "selection"
"""In a row, with `evaluate.select: best`: the split, the chosen iteration, and all scores."""
TEACHER_FILES = "teacher_files"
"""In a row: the files of predictions that taught the round; of round 0, the one that it is."""

OUTCOMES = "outcomes"
"""Folder beside the history with each round's predictions, to compare models image by image."""
MAPS_SUFFIX = "_maps"
"""Of the folder with the label maps of a split, beside its outcomes; of the last round alone."""

Row = dict[str, Any]


def outcome_path(evaluation: Path, number: int, split: str) -> Path:
    """Return the path of the outcomes of a round's model on each image of a split."""
    return evaluation / OUTCOMES / f"{number}_{split}"


def maps_folder(outcome: Path) -> Path:
    """Return the folder with the label maps of a split, given the path of its outcomes."""
    return outcome.with_name(f"{outcome.name}{MAPS_SUFFIX}")


def main_score(row: Row, split: str) -> float | None:
    """Return a round's main metric on a split; None if it was not measured."""
    value: float | None = row.get(split, {}).get(row["headline"][0])
    return value


def display_name(split: str, *, transductive: bool) -> str:
    """Return a split's name in reports: test is marked if its images were pseudo-labelled."""
    return "test_transductive" if split == "test" and transductive else split


def best_round(history: list[Row]) -> int:
    """Return the round whose model is best on val; the earlier one of two equal rounds."""
    scores = [main_score(row, "val") or 0.0 for row in history]
    return scores.index(max(scores))


def gain(row: Row, before: Row, split: str) -> float | None:
    """Return the increase of the main metric on a split; None if a round does not have it."""
    new, old = main_score(row, split), main_score(before, split)
    return None if new is None or old is None else round(new - old, 6)


def describe_files(history: list[Row]) -> list[str]:
    """Return a line if round 0 is a file of predictions, and one if files taught other rounds."""
    lines = []
    if history[0].get(TEACHER_FILES):
        (name,) = history[0][TEACHER_FILES]
        lines.append(
            f"Round 0 is the file {name}, with no training on gold: labels of val and test only "
            "say how good it is."
        )
    if any(row.get(TEACHER_FILES) for row in history):
        lines.append(
            "Which images the model behind a teacher file was trained on is not known: if test "
            "was among them, the scores on test are too good."
        )
    return lines


def headline_scores(row: Row, split: str) -> dict[str, float | None]:
    """Return the headline metrics of a split by flat names, such as `test.mAP`; {} without it."""
    if split not in row:
        return {}
    name = display_name(split, transductive=row["transductive"])
    return {f"{name}.{metric}": row[split][metric] for metric in row["headline"]}
