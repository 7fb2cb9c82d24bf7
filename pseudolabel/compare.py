"""Rounds side by side: metrics.json for DVC, a CSV for its plots, a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pseudolabel.files import read_json, write_csv, write_json, written_aside
from pseudolabel.history import HISTORY, SPEED, Row, best_round, gain, main_score, shown_as

SPLITS = ("val", "test")
Cell = float | int | str | None
SETTLED = 0.98
"""Agreement of silver from which on a round learns what the one before learned."""


def compare(evaluation: Path, metrics: Path, report: Path) -> str:
    """Write metrics.json and the report folder, and return the table of rounds.

    Args:
        evaluation: the evaluation of the last round, which holds all rounds.
        metrics: the JSON file to write.
        report: the folder to write rounds.csv, classes.csv and rounds.md to.
    """
    history: list[Row] = read_json(evaluation / HISTORY)
    table = table_of(history, read_json(evaluation / SPEED))
    write_json(metrics, flat_metrics(history))
    with written_aside(report) as aside:
        aside.mkdir(parents=True)
        write_csv(aside / "rounds.csv", [plot_cells(row) for row in history])
        write_csv(aside / "classes.csv", [cells for row in history for cells in class_cells(row)])
        (aside / "rounds.md").write_text(table, encoding="utf-8")
    return table


def flat_metrics(history: list[Row]) -> dict[str, Cell]:
    """Return the last round's metrics and the best round's lift over round 0, by flat names."""
    best = best_round(history)
    flat: dict[str, Cell] = {
        name: cell for name, cell in round_cells(history[-1]).items() if cell is not None
    }
    flat["best_round"] = best
    for split in SPLITS:
        lift = gain(history[best], history[0], split)
        if lift is not None:
            name = shown_as(history[best], split)
            flat[f"lift.{name}.{history[best]['headline'][0]}"] = lift
    return flat


def round_cells(row: Row) -> dict[str, Cell]:
    """Return one round as flat names and values."""
    silver = row["data"].get("silver", {"images": 0, "annotations": 0})
    cells: dict[str, Cell] = {"round": row["round"]}
    for split in SPLITS:
        if split in row:
            shown = shown_as(row, split)
            cells |= {f"{shown}.{name}": row[split][name] for name in row["headline"]}
    cells["iterations"] = row["iterations"]
    cells |= {"silver.images": silver["images"], "silver.annotations": silver["annotations"]}
    step = row["over_champion"] or {"gain": None, "interval": None}
    low, high = step["interval"] or (None, None)
    cells |= {"gain": step["gain"], "gain.low": low, "gain.high": high}
    return cells | {"silver.agreement": row["silver_agreement"]}


def plot_cells(row: Row) -> dict[str, Cell]:
    """Return one round for plots: as flat cells, and the main metric under the split's name."""
    return round_cells(row) | {split: main_score(row, split) for split in SPLITS}


def class_cells(row: Row) -> list[dict[str, Cell]]:
    """Return the metrics of each class in one round."""
    cells = []
    for split in SPLITS:
        by_class = row.get(split, {}).get("by_class", {})
        for name in next(iter(by_class.values()), {}):
            values = {metric: column[name] for metric, column in by_class.items()}
            cells.append({"round": row["round"], "split": shown_as(row, split)})
            cells[-1] |= {"class": name} | values
    return cells


def table_of(history: list[Row], speeds: Sequence[float]) -> str:
    """Return the rounds as a Markdown table that also reads well in a terminal."""
    splits = [split for split in SPLITS if split in history[0]]
    headline = history[0]["headline"]
    shown = [shown_as(history[-1], split).replace("_", " ") for split in splits]
    head = ["round", *(f"{split} {name}" for split in shown for name in headline)]
    head += ["gain (val)", "95%", "iterations", "silver images", "silver labels"]
    head += ["images/s", "MB", "champion"]
    body = []
    for row, speed in zip(history, speeds, strict=True):
        silver = row["data"].get("silver", {"images": 0, "annotations": 0})
        cells = [str(row["round"])]
        cells += [score(row[split][name]) for split in splits for name in headline]
        cells += said_of_gain(row)
        cells += [
            str(row["iterations"]),
            str(silver["images"]),
            str(silver["annotations"]),
            f"{speed:.0f}",
            f"{row['weights_mb']:.1f}",
        ]
        cells.append(f"round {row['champion']}")
        body.append(cells)
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [line(head, widths), line(["-" * width for width in widths], widths)]
    lines += [line(cells, widths) for cells in body]
    return "\n".join(lines) + f"\n\n{verdict(history)}\n"


def said_of_gain(row: Row) -> list[str]:
    """Return a round's gain over the best before it, and the interval of that."""
    step = row["over_champion"]
    if step is None:
        return ["", ""]
    interval = step["interval"]
    ends = " to ".join(score(end, "+") for end in interval) if interval else "-"
    return [score(step["gain"], "+"), ends]


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line of the table."""
    padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def score(value: float | None, sign: str = "") -> str:
    """Return a metric to four places, a dash where there is none."""
    return "-" if value is None else f"{value:{sign}.4f}"


def verdict(history: list[Row]) -> str:
    """Return in words which round is best, and whether another one pays."""
    best, last = best_round(history), history[-1]["round"]
    if last == 0:
        return "Round 0 is the teacher on gold alone: ask for round 1 to see what silver adds."
    lift, metric = gain(history[best], history[0], "val"), history[0]["headline"][0]
    said = f"Round {best} is best on val, {score(lift, '+')} {metric} over round 0."
    if best == 0:
        said = f"No round up to {last} beats the teacher on val: silver did not pay here."
    return f"{said} {last_step(history[-1], metric)} {advice(history[-1])}"


def last_step(row: Row, metric: str) -> str:
    """Return in words what the last round gained, how sure that is, and how new its silver was."""
    (gained, interval), best = said_of_gain(row), row["over_champion"]["round"]
    said = f"Round {row['round']} against round {best}, the best before it: {gained} {metric}"
    said += f" on val, 95% interval {interval}"
    if row["silver_agreement"] is not None:
        said += f"; {row['silver_agreement']:.0%} of its silver is that of the round before"
    return f"{said}."


def advice(row: Row) -> str:
    """Return whether another round is worth it, from the last one's gain, interval and silver.

    A round that did not beat the champion leaves the same teacher, and so the same silver, to the
    next one, unless a parameter changes from round to round.
    """
    step, agreement = row["over_champion"], row["silver_agreement"]
    low, high = step["interval"] or (-math.inf, math.inf)
    if row["champion"] != row["round"]:
        sure = "worse for sure" if high < 0 else "no better"
        return (
            f"It is {sure}: the next round would have the same teacher. Stop, or change the filter."
        )
    if agreement is not None and agreement >= SETTLED:
        return "The silver has settled: another round would learn the same again."
    if low > 0:
        return "Other images in val would show the gain, too: another round is worth it."
    return "Zero lies within, so the gain may be chance: another round may pay."
