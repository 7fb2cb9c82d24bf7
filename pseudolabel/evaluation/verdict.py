"""The verdict on the rounds in words: which one is best, and whether another one is worth it."""

from __future__ import annotations

import math

from pseudolabel.evaluation.history import Row, best_round, gain, main_score

_FAR_BELOW = 0.5
"""A student below this share of its teacher's score has probably learned nothing."""
_SETTLED_AGREEMENT = 0.98
"""From this agreement on, two rounds have practically the same silver."""


def verdict_on(history: list[Row]) -> str:
    """Return a text: which round is best, and whether another round is worth it."""
    best, last = best_round(history), history[-1]["round"]
    if last == 0:
        return "Round 0 is the teacher on gold alone: run round 1 to measure the gain from silver."
    lift, metric = gain(history[best], history[0], "val"), history[0]["headline"][0]
    if lift is None:
        return _describe_no_score(history)
    text = f"Round {best} is the best on val, {format_score(lift, '+')} {metric} over round 0."
    if best == 0:
        text = f"No round up to {last} is better than the teacher on val: silver did not help."
    text = f"{text} {_describe_last_gain(history[-1], metric)} {_advice(history[-1])}"
    return "\n\n".join([text, *_describe_failures(history)])


def _describe_no_score(history: list[Row]) -> str:
    """Return why no round can be compared with another one on val."""
    metric = history[0]["headline"][0]
    if not any("val" in row for row in history):
        reason = "val has no images"
    else:
        reason = f"val has no {metric}: it has no labels that count"
    return f"{reason[0].upper()}{reason[1:]}. Which round is the best is not known."


def _describe_failures(history: list[Row]) -> list[str]:
    """Return one line for each student far below its teacher on val."""
    lines = []
    for row in history:
        number = (row["over_champion"] or {}).get("round")
        teacher = main_score(history[number], "val") if number is not None else None
        student = main_score(row, "val")
        if teacher and student is not None and student < _FAR_BELOW * teacher:
            lines.append(
                f"Round {row['round']} is far below its teacher, round {number}: "
                f"{format_score(student)} {row['headline'][0]} against {format_score(teacher)}. "
                "Look at its curve.csv and at its silver."
            )
    return lines


def _describe_last_gain(row: Row, metric: str) -> str:
    """Return a sentence: the last round's gain, its interval, and the agreement of its silver."""
    (gained, interval), best = gain_cells(row), row["over_champion"]["round"]
    text = f"Round {row['round']} against round {best}, the best round before: {gained} {metric}"
    text += f" on val, 95% interval {interval}"
    if row["silver_agreement"] is not None:
        text += f"; {row['silver_agreement']:.0%} of its silver is the same as in the round before"
    return f"{text}."


def _advice(row: Row) -> str:
    """Return whether another round is worth it, given the last round's gain, interval and silver.

    If a round does not beat the champion, the next round has the same teacher. Then it also has the
    same silver, unless a parameter changes from round to round.
    """
    step, agreement = row["over_champion"], row["silver_agreement"]
    low, high = step["interval"] or (-math.inf, math.inf)
    if row["champion"] != row["round"]:
        outcome = "significantly worse" if high < 0 else "not better"
        return (
            f"It is {outcome}: the next round would have the same teacher. "
            "Stop, or change the filter."
        )
    if agreement is not None and agreement >= _SETTLED_AGREEMENT:
        return (
            "The silver hardly changes any more: another round would be trained on the same labels."
        )
    if low > 0:
        return "The interval is above zero: another round is worth it."
    return "The interval contains zero, so the gain may be chance: another round may help."


def gain_cells(row: Row) -> list[str]:
    """Return a round's gain over the best round before it, and the interval of this gain."""
    step = row["over_champion"]
    if step is None:
        return ["", ""]
    interval = step["interval"]
    ends = " to ".join(format_score(end, "+") for end in interval) if interval else "-"
    return [format_score(step["gain"], "+"), ends]


def format_score(value: float | None, sign: str = "") -> str:
    """Return a metric to four places, or a dash for None."""
    return "-" if value is None else f"{value:{sign}.4f}"
