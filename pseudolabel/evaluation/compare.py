"""Compare rounds: metrics.json for DVC, CSV files for its plots, and a Markdown table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.files import read_json, write_csv, write_json
from pseudolabel.evaluation.history import (
    HISTORY,
    REPORTED_SPLITS,
    SELECTION,
    SPEED,
    TEACHER_FILES,
    Row,
    best_round,
    display_name,
    gain,
    main_score,
)
from pseudolabel.evaluation.verdict import format_score, gain_cells, verdict
from pseudolabel.formats.model_folder import REVIEWED_IMAGES, UNKNOWN_ORIGIN

Cell = float | int | str | None


def compare(evaluation: Path, metrics: Path, report: Path) -> str:
    """Write metrics.json and the report folder, and return the table of rounds.

    Args:
        evaluation: the evaluation folder of the last round, with the history of all rounds.
        metrics: the JSON file to write.
        report: the folder to write rounds.csv, classes.csv and rounds.md to, beside other files.
    """
    history: list[Row] = read_json(evaluation / HISTORY)
    table = _rounds_table(history, read_json(evaluation / SPEED))
    write_json(metrics, _flat_metrics(history))
    report.mkdir(parents=True, exist_ok=True)
    write_csv(report / "rounds.csv", _plot_rows(history))
    write_csv(report / "classes.csv", [cells for row in history for cells in _class_cells(row)])
    (report / "rounds.md").write_text(table, encoding="utf-8")
    return table


def _flat_metrics(history: list[Row]) -> dict[str, Cell]:
    """Return the last round's metrics, and the best round's gain over round 0 (`lift`)."""
    best = best_round(history)
    flat: dict[str, Cell] = {
        name: cell for name, cell in _round_cells(history[-1]).items() if cell is not None
    }
    flat["best_round"] = best
    for split in REPORTED_SPLITS:
        lift = gain(history[best], history[0], split)
        if lift is not None:
            name = display_name(split, transductive=history[best]["transductive"])
            flat[f"lift.{name}.{history[best]['headline'][0]}"] = lift
    return flat


def _round_cells(row: Row) -> dict[str, Cell]:
    """Return the values of one round by flat names, such as `val.mAP`."""
    silver = row["data"].get("silver", {"images": 0, "annotations": 0})
    cells: dict[str, Cell] = {"round": row["round"]}
    for split in REPORTED_SPLITS:
        if split in row:
            shown = display_name(split, transductive=row["transductive"])
            cells |= {f"{shown}.{name}": row[split][name] for name in row["headline"]}
    cells["iterations"] = row["iterations"]
    cells |= {"silver.images": silver["images"], "silver.annotations": silver["annotations"]}
    cells |= {"gold.reviewed": _reviewed(row)} if _reviewed(row) else {}
    step = row["over_champion"] or {"gain": None, "interval": None}
    low, high = step["interval"] or (None, None)
    cells |= {"gain": step["gain"], "gain.low": low, "gain.high": high}
    cells["silver.agreement"] = row["silver_agreement"]
    return cells | ({"chosen_iteration": row[SELECTION]["iteration"]} if SELECTION in row else {})


def _plot_rows(history: list[Row]) -> list[dict[str, Cell]]:
    """Return the values of each round, and its main metric under the name of each split."""
    rows = [
        _round_cells(row) | {split: main_score(row, split) for split in REPORTED_SPLITS}
        for row in history
    ]
    names = dict.fromkeys(name for cells in rows for name in cells)
    return [{name: cells.get(name) for name in names} for cells in rows]


def _class_cells(row: Row) -> list[dict[str, Cell]]:
    """Return the metrics of one round: one row per split and class."""
    cells: list[dict[str, Cell]] = []
    for split in REPORTED_SPLITS:
        by_class = row.get(split, {}).get("by_class", {})
        shown = display_name(split, transductive=row["transductive"])
        for name in next(iter(by_class.values()), {}):
            key = {"round": row["round"], "split": shown, "class": name}
            cells.append(key | {metric: column[name] for metric, column in by_class.items()})
    return cells


def _rounds_table(history: list[Row], speeds: Sequence[float]) -> str:
    """Return the rounds as a Markdown table with aligned columns, and a verdict below it."""
    head, body = rounds_cells(history, speeds)
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [_table_line(head, widths), _table_line(["-" * width for width in widths], widths)]
    lines += [_table_line(cells, widths) for cells in body]
    return "\n".join(lines) + f"\n\n{verdict(history)}\n"


def rounds_cells(history: list[Row], speeds: Sequence[float]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns of the table of rounds, and one row of texts per round.

    Args:
        history: the rounds.
        speeds: images per second of each round's model.
    """
    splits = [split for split in REPORTED_SPLITS if split in history[0]]
    headline = history[0]["headline"]
    shown = [
        display_name(split, transductive=history[-1]["transductive"]).replace("_", " ")
        for split in splits
    ]
    head = ["round", *(f"{split} {name}" for split in shown for name in headline)]
    head += ["gain (val)", "95%", "iterations", "silver images", "silver labels"]
    head += ["images/s", "MB", "champion"]
    # Only those with something to say: the table of most projects stays narrow.
    optional = [column for column in _OPTIONAL_COLUMNS if any(map(column.applies, history))]
    head += [column.name for column in optional]
    body = []
    for row, speed in zip(history, speeds, strict=True):
        silver = row["data"].get("silver", {"images": 0, "annotations": 0})
        cells = [str(row["round"])]
        cells += [format_score(row[split][name]) for split in splits for name in headline]
        cells += gain_cells(row)
        cells += [str(row["iterations"]), str(silver["images"]), str(silver["annotations"])]
        cells += [f"{speed:.0f}" if speed else "-", f"{row['weights_mb']:.1f}"]
        cells.append(f"round {row['champion']}")
        cells += [column.cell(row) for column in optional]
        body.append(cells)
    return head, body


def _format_choice(row: Row) -> str:
    """Return the iteration of a round's weights, of those of its whole training."""
    if SELECTION not in row:
        return "the last"
    choice = row[SELECTION]
    text = f"{choice['iteration']} of {choice['curve'][-1]['iteration']}"
    return text if choice["split"] == TUNING else f"{text}, on {choice['split']}"


def _reviewed(row: Row) -> int:
    """Return how many gold images of a round were reviewed by a person."""
    count: int = row["data"].get("gold", {}).get(REVIEWED_IMAGES, 0)
    return count


class _OptionalColumn(NamedTuple):
    """A column of the table that is shown if it applies to any round."""

    name: str
    applies: Callable[[Row], Any]
    cell: Callable[[Row], str]


_OPTIONAL_COLUMNS = (
    _OptionalColumn(
        "initial weights",
        lambda row: row.get(UNKNOWN_ORIGIN),
        lambda row: "origin unknown" if row.get(UNKNOWN_ORIGIN) else "known",
    ),
    _OptionalColumn(
        "teacher file",
        lambda row: row.get(TEACHER_FILES),
        lambda row: ", ".join(row.get(TEACHER_FILES) or ["-"]),
    ),
    _OptionalColumn("reviewed images", _reviewed, lambda row: str(_reviewed(row))),
    _OptionalColumn("chosen iteration", lambda row: SELECTION in row, _format_choice),
)


def _table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
