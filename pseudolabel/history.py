"""The record of rounds: one row a round, each evaluation holding the rows of all rounds before.

A row names its metrics in `headline`; the first of them is the main one, which rounds win by.
"""

from __future__ import annotations

from typing import Any

HISTORY, SPEED = "history.json", "speed.json"

Row = dict[str, Any]


def main_score(row: Row, split: str) -> float | None:
    """Return a round's main metric on a split, None where it has none."""
    value: float | None = row.get(split, {}).get(row["headline"][0])
    return value


def shown_as(row: Row, split: str) -> str:
    """Return a split's name for the eye: test is marked where its images were pseudo-labelled."""
    return "test_transductive" if split == "test" and row["transductive"] else split


def best_round(history: list[Row]) -> int:
    """Return the round whose model is best on val; the earlier one where two are equal."""
    scores = [main_score(row, "val") or 0.0 for row in history]
    return scores.index(max(scores))


def gain(row: Row, before: Row, split: str) -> float | None:
    """Return by how much the main metric of a split rose, None where either has none."""
    new, old = main_score(row, split), main_score(before, split)
    return None if new is None or old is None else round(new - old, 6)
