"""The record of rounds: one row a round, each evaluation holding the rows of all rounds before."""

from __future__ import annotations

from typing import Any

HISTORY, SPEED = "history.json", "speed.json"
MAIN_METRIC = "mAP"

Row = dict[str, Any]


def best_round(history: list[Row]) -> int:
    """Return the round whose model is best on val; the earlier one where two are equal."""
    scores = [row["val"][MAIN_METRIC] or 0.0 for row in history]
    return scores.index(max(scores))


def gain(row: Row, before: Row, split: str) -> float | None:
    """Return by how much the main metric of a split rose, None where either has none."""
    new, old = (it.get(split, {}).get(MAIN_METRIC) for it in (row, before))
    return None if new is None or old is None else round(new - old, 6)
