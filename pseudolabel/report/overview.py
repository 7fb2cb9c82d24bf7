"""The first page: the rounds, their scores, their silver, what changed, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pseudolabel.evaluation.compare import rounds_cells
from pseudolabel.evaluation.history import REPORTED_SPLITS, Row, display_name, main_score
from pseudolabel.evaluation.verdict import verdict
from pseudolabel.formats.model_folder import INITIAL_WEIGHTS
from pseudolabel.pages.palette import class_colour
from pseudolabel.params.common import Params
from pseudolabel.report.charts import Line, Point, chart
from pseudolabel.report.html_parts import bars, heading, paragraph, table

_SECTIONS = ("model", "train", "pseudo_label", "filter", "evaluate")
_MOST_CLASSES = 24
"""Classes of a chart, the first ones: more lines cannot be told apart."""
_UNITS = {"annotations": "objects", "pixels": "pixels", "labels": "images"}
"""What a report of silver counts, in the words of the page."""
_ROUND_COLOURS = [class_colour(index) for index in (7, 1, 2, 3, 4, 5, 0, 6, 15, 9)]


@dataclass(frozen=True)
class Overview:
    """What the overview is about.

    Attributes:
        history: one row per round.
        speeds: images per second of each round's model.
        facts: the facts of each round, as its index has them.
        classes: the names of the classes.
        gold_amounts: the objects, images or pixels of each class in gold.
        params: the parameters of each round by dotted name.
    """

    history: list[Row]
    speeds: Sequence[float]
    facts: Sequence[Mapping[str, Any]]
    classes: Sequence[str]
    gold_amounts: Sequence[float]
    params: Sequence[Mapping[str, str]]


def overview_parts(overview: Overview, changes: Sequence[str]) -> list[str]:
    """Return the content of the page.

    Args:
        overview: what it is about.
        changes: HTML of the images whose silver changed most.
    """
    parts = [paragraph(text, "verdict") for text in verdict(overview.history).split("\n\n")]
    alarms = overview.facts[-1].get("silver", {}).get("alarms", [])
    parts += [paragraph(f"Alarm: {text}", "alarm") for text in alarms]
    parts += [heading("Rounds"), _rounds(overview)]
    return [
        *parts,
        *_score_charts(overview),
        *_silver_shares(overview),
        *_threshold_charts(overview),
        *changes,
        *_parameter_changes(overview.params),
        *_provenance(overview.facts),
    ]


def flat_params(params: Params) -> dict[str, str]:
    """Return the parameters of a round that change its model or its silver, by dotted name."""
    sections = params.model_dump(mode="json", include=set(_SECTIONS))
    return {
        f"{section}.{name}": str(value)
        for section in _SECTIONS
        for name, value in sections[section].items()
    }


def _rounds(overview: Overview) -> str:
    """Return the table of rounds, without the speed: it differs from run to run."""
    head, body = rounds_cells(overview.history, overview.speeds)
    kept = [place for place, name in enumerate(head) if name != "images/s"]
    names = [head[place].replace("95%", "95% interval") for place in kept]
    return table(names, [[row[place] for place in kept] for row in body])


def _names(overview: Overview) -> Sequence[str]:
    return overview.classes[:_MOST_CLASSES]


def _score_charts(overview: Overview) -> list[str]:
    """Return charts of the scores by round, and of the loss by iteration."""
    history = overview.history
    metric = history[0]["headline"][0]
    lines = []
    for split, colour in zip(REPORTED_SPLITS, (0, 5), strict=True):
        scores = [(row["round"], main_score(row, split)) for row in history]
        points = [(float(number), score) for number, score in scores if score is not None]
        name = display_name(split, transductive=history[-1]["transductive"])
        lines.append(Line(name, class_colour(colour), points))
    gains = [(row["round"], row["over_champion"]) for row in history if row["over_champion"]]
    measured = [(float(number), step) for number, step in gains if step["gain"] is not None]
    intervals = [(number, *step["interval"]) for number, step in measured if step["interval"]]
    points = [(number, step["gain"]) for number, step in measured]
    gained = Line("gain and its 95% interval", class_colour(2), points, ranges=intervals)
    charts = [
        chart(f"{metric} by round", "round", metric, lines),
        chart("Gain on val over the best round before", "round", metric, [gained]),
        *_class_charts(overview),
        chart("Loss in training", "iteration", "loss", _loss_lines(overview.facts)),
    ]
    return [heading("Scores"), _side_by_side(charts)]


def _class_charts(overview: Overview) -> list[str]:
    """Return one chart for each split with the first metric of each class by round."""
    charts = []
    for split in REPORTED_SPLITS:
        by_class = overview.history[-1].get(split, {}).get("by_class", {})
        if not by_class or len(overview.classes) == 1:
            continue
        metric = next(iter(by_class))
        lines = []
        for index, name in enumerate(_names(overview)):
            scores = [
                (float(row["round"]), row[split]["by_class"][metric].get(name))
                for row in overview.history
                if split in row
            ]
            points = [(number, score) for number, score in scores if score is not None]
            lines.append(Line(name, class_colour(index), points))
        charts.append(chart(f"{metric} of each class on {split}", "round", metric, lines))
    return charts


def _loss_lines(facts: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [
        Line(
            f"round {row['round']}",
            _ROUND_COLOURS[row["round"]],
            [(point["iteration"], point["loss"]) for point in row["curve"]],
        )
        for row in facts
    ]


def _silver_shares(overview: Overview) -> list[str]:
    """Return the share of each class in gold and in the silver of each round."""
    rounds = [row for row in overview.facts if "silver" in row]
    if not rounds or len(overview.classes) == 1:
        return []
    total = sum(overview.gold_amounts) or 1
    rows = []
    for name, amount in zip(overview.classes, overview.gold_amounts, strict=True):
        shares = [row["silver"][row["unit"]]["out_shares"].get(name, 0.0) for row in rounds]
        rows.append((name, [amount / total, *shares]))
    head = ["class", "gold", *(f"silver {row['round']}" for row in rounds)]
    colours = [class_colour(index) for index in range(len(rows))]
    unit = _UNITS[rounds[0]["unit"]]
    text = f"The share of each class among all {unit}, in gold and in the silver of each round."
    return [heading("Classes"), paragraph(text), bars(head, rows, colours)]


def _threshold_charts(overview: Overview) -> list[str]:
    """Return the curves that thresholds were chosen on, and the reliability of scores."""
    last = overview.facts[-1]
    if not last.get("thresholds"):
        return []
    charts = []
    for metric in ("f1", "precision"):
        lines = []
        for index, name in enumerate(_names(overview)):
            rows = [row for row in last["thresholds"] if row["class"] == name]
            points = [(row["threshold"], row[metric]) for row in rows]
            # Without predictions there is no precision: the line ends before them.
            points = points if metric == "f1" else _without_last_zeros(points)
            chosen = [(row["threshold"], row[metric]) for row in rows if row["chosen"]]
            lines.append(Line(name, class_colour(index), points, marked=chosen))
        title = {"f1": "F1", "precision": "Precision"}[metric]
        charts.append(
            chart(f"{title} on tuning by threshold", "threshold", title, lines, (0.0, 1.0))
        )
    ideal = Line("as often right as the score says", class_colour(7), [(0, 0), (1, 1)], dashed=True)
    lines = [ideal]
    for colour, name in ((0, "as given"), (5, "scaled")):
        points = [
            (row["score"], row["right"]) for row in last["reliability"] if row["scores"] == name
        ]
        lines.append(Line(f"scores {name}", class_colour(colour), points))
    charts.append(chart("Reliability of scores", "score", "share that is right", lines))
    text = "On tuning, for the silver of the last round. A large point is the chosen threshold."
    return [heading("Thresholds"), paragraph(text), _side_by_side(charts)]


def _without_last_zeros(points: list[Point]) -> list[Point]:
    """Return points without the last ones whose value is 0."""
    last = max((place for place, (_, value) in enumerate(points) if value), default=-1)
    return points[: last + 1]


def _parameter_changes(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the parameters that differ from the round before."""
    rows = [
        [f"round {number}", name, before[name], now[name]]
        for number, (before, now) in enumerate(pairwise(params), start=1)
        for name in now
        if now[name] != before[name]
    ]
    if not rows:
        text = "Every round has the same parameters."
        return [heading("Parameters"), paragraph(text)]
    head = ["round", "parameter", "the round before", "this round"]
    return [heading("Parameters"), table(head, rows)]


def _provenance(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the hashes of what each round was made of."""
    rows = []
    for row in facts:
        name = f"round {row['round']}"
        rows += [
            [name, f"training data, {part}", str(row["data"][part].get("hash", ""))]
            for part in row["data"]
        ]
        if "silver_hash" in row:
            rows.append([name, "teacher of the silver", str(row["teacher"])])
            rows.append([name, "silver", str(row["silver_hash"])])
        rows.append([name, "initial weights", str(row[INITIAL_WEIGHTS] or "random")])
        rows.append([name, "weights", str(row["weights"])])
    text = "Hashes of contents: equal hashes mean equal bytes."
    return [heading("Provenance"), paragraph(text), table(["round", "what", "hash"], rows)]


def _side_by_side(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(filter(None, charts))}</div>'
