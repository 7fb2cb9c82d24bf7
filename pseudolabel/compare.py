"""Rounds side by side: metrics.json for DVC, a CSV for its plots, a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pseudolabel.files import read_json, write_csv, write_json, written_aside
from pseudolabel.history import HISTORY, SPEED, Row, best_round, gain, main_score, shown_as

SPLITS = ("val", "test")
Cell = float | int | str | None


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
    flat = round_cells(history[-1])
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
    cells |= {"silver.images": silver["images"], "silver.annotations": silver["annotations"]}
    return cells


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
    head += ["gain (val)", "silver images", "silver labels", "images/s", "MB", "champion"]
    body = []
    for row, speed in zip(history, speeds, strict=True):
        silver = row["data"].get("silver", {"images": 0, "annotations": 0})
        cells = [str(row["round"])]
        cells += [score(row[split][name]) for split in splits for name in headline]
        cells += [score(row["gain"]["val"], sign="+") if row["gain"] else "", str(silver["images"])]
        cells += [str(silver["annotations"]), f"{speed:.0f}", f"{row['weights_mb']:.1f}"]
        cells.append(f"round {row['champion']}")
        body.append(cells)
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [line(head, widths), line(["-" * width for width in widths], widths)]
    lines += [line(cells, widths) for cells in body]
    return "\n".join(lines) + f"\n\n{verdict(history)}\n"


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
    lift = gain(history[best], history[0], "val")
    if best == 0:
        return f"No round up to {last} beats the teacher on val: silver did not pay here."
    said = (
        f"Round {best} is best on val, {score(lift, '+')} {history[0]['headline'][0]} over round 0"
    )
    if best == last:
        return f"{said}: another round may pay."
    return f"{said}; the {last - best} after it did not beat it: another round is unlikely to pay."
