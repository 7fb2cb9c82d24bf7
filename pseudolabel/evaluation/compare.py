"""Compare rounds: metrics.json for DVC, CSV files for its plots, and a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.files import read_json, write_csv, write_json, written_aside
from pseudolabel.evaluation.history import (
    HISTORY,
    REPORTED_SPLITS,
    SELECTION,
    SPEED,
    TEACHER_FILES,
    Row,
    best_round,
    describe_files,
    display_name,
    gain,
    main_score,
)
from pseudolabel.formats.model_folder import UNKNOWN_ORIGIN

Cell = float | int | str | None
_FAR_BELOW = 0.5
"""A student below this share of its teacher's score has probably learned nothing."""
_SETTLED_AGREEMENT = 0.98
"""From this agreement on, two rounds have practically the same silver."""


def compare(evaluation: Path, metrics: Path, report: Path) -> str:
    """Write metrics.json and the report folder, and return the table of rounds.

    Args:
        evaluation: the evaluation folder of the last round, with the history of all rounds.
        metrics: the JSON file to write.
        report: the folder to write rounds.csv, classes.csv and rounds.md to.
    """
    history: list[Row] = read_json(evaluation / HISTORY)
    table = _rounds_table(history, read_json(evaluation / SPEED))
    write_json(metrics, _flat_metrics(history))
    with written_aside(report) as aside:
        aside.mkdir(parents=True)
        write_csv(aside / "rounds.csv", _plot_rows(history))
        write_csv(aside / "classes.csv", [cells for row in history for cells in _class_cells(row)])
        (aside / "rounds.md").write_text(table, encoding="utf-8")
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
    splits = [split for split in REPORTED_SPLITS if split in history[0]]
    headline = history[0]["headline"]
    shown = [
        display_name(split, transductive=history[-1]["transductive"]).replace("_", " ")
        for split in splits
    ]
    head = ["round", *(f"{split} {name}" for split in shown for name in headline)]
    head += ["gain (val)", "95%", "iterations", "silver images", "silver labels"]
    head += ["images/s", "MB", "champion"]
    # Only if there is something to say: the table of most projects stays narrow.
    has_unknown = any(row.get(UNKNOWN_ORIGIN) for row in history)
    head += ["initial weights"] if has_unknown else []
    has_files = any(row.get(TEACHER_FILES) for row in history)
    head += ["teacher file"] if has_files else []
    has_choice = any(SELECTION in row for row in history)
    head += ["chosen iteration"] if has_choice else []
    body = []
    for row, speed in zip(history, speeds, strict=True):
        silver = row["data"].get("silver", {"images": 0, "annotations": 0})
        cells = [str(row["round"])]
        cells += [_format_score(row[split][name]) for split in splits for name in headline]
        cells += _gain_cells(row)
        cells += [str(row["iterations"]), str(silver["images"]), str(silver["annotations"])]
        cells += [f"{speed:.0f}" if speed else "-", f"{row['weights_mb']:.1f}"]
        cells.append(f"round {row['champion']}")
        if has_unknown:
            cells.append("origin unknown" if row.get(UNKNOWN_ORIGIN) else "known")
        if has_files:
            cells.append(", ".join(row.get(TEACHER_FILES) or ["-"]))
        if has_choice:
            cells.append(_format_choice(row))
        body.append(cells)
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [_table_line(head, widths), _table_line(["-" * width for width in widths], widths)]
    lines += [_table_line(cells, widths) for cells in body]
    return "\n".join(lines) + f"\n\n{_verdict(history)}\n"


def _format_choice(row: Row) -> str:
    """Return the iteration of a round's weights, of those of its whole training."""
    if SELECTION not in row:
        return "the last"
    choice = row[SELECTION]
    text = f"{choice['iteration']} of {choice['curve'][-1]['iteration']}"
    return text if choice["split"] == TUNING else f"{text}, on {choice['split']}"


def _gain_cells(row: Row) -> list[str]:
    """Return a round's gain over the best round before it, and the interval of this gain."""
    step = row["over_champion"]
    if step is None:
        return ["", ""]
    interval = step["interval"]
    ends = " to ".join(_format_score(end, "+") for end in interval) if interval else "-"
    return [_format_score(step["gain"], "+"), ends]


def _table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _format_score(value: float | None, sign: str = "") -> str:
    """Return a metric to four places, or a dash for None."""
    return "-" if value is None else f"{value:{sign}.4f}"


def _verdict(history: list[Row]) -> str:
    """Return a text: which round is best, and whether another round is worth it."""
    best, last = best_round(history), history[-1]["round"]
    notes = describe_files(history)
    if last == 0:
        gold = "Round 0 is the teacher on gold alone: run round 1 to measure the gain from silver."
        return "\n\n".join(notes) if notes else gold
    lift, metric = gain(history[best], history[0], "val"), history[0]["headline"][0]
    if lift is None:
        return _describe_no_score(history)
    text = f"Round {best} is the best on val, {_format_score(lift, '+')} {metric} over round 0."
    if best == 0:
        text = f"No round up to {last} is better than the teacher on val: silver did not help."
    text = f"{text} {_describe_last_gain(history[-1], metric)} {_advice(history[-1])}"
    return "\n\n".join([text, *_describe_failures(history), *notes])


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
                f"{_format_score(student)} {row['headline'][0]} against {_format_score(teacher)}. "
                "Look at its curve.csv and at its silver."
            )
    return lines


def _describe_last_gain(row: Row, metric: str) -> str:
    """Return a sentence: the last round's gain, its interval, and the agreement of its silver."""
    (gained, interval), best = _gain_cells(row), row["over_champion"]["round"]
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
