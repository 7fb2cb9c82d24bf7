"""Errors of detection and instance segmentation: kinds, costs, curves, and the worst images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.shards import read_shard
from pseudolabel.pages.palette import class_colour
from pseudolabel.report.charts import Line, chart
from pseudolabel.report.confusion_table import confusion_table
from pseudolabel.report.error_report import MOST_SHOWN, ErrorReport, Scored
from pseudolabel.report.gallery import GOLD_CODES, Code, Gallery, panel
from pseudolabel.report.html_parts import heading, paragraph, table
from pseudolabel.report.object_matches import (
    ImageMatch,
    best_threshold,
    confusions,
    match_images,
)
from pseudolabel.report.object_recall import recall_parts
from pseudolabel.report.objects import encode, without_scores
from pseudolabel.report.tide import KINDS, RIGHT, Judged, error_costs, mean_ap, precision_recall

_EXPLANATIONS = {
    "classification": "placed right, but of another class",
    "localisation": "of the right class, but badly placed",
    "both": "badly placed, and of another class",
    "duplicate": "a second prediction for an object that was found",
    "background": "where gold has nothing",
    "missed": "an object that no prediction finds",
}
_CODES: list[Code] = [("right", "kept"), *((kind, "wrong") for kind in KINDS), ("crowd", "hidden")]
_FOUND: list[Code] = [("found", "kept"), ("missed", "wrong")]
_CURVE_POINTS = 101
_MOST_CLASSES = 24
AUDIT_PAGE = "../folds/audit/suspects.html"
"""The page of the audit, seen from the report."""


@dataclass(frozen=True)
class _Matched:
    """All images of a split, and the score from which on predictions count as given."""

    scored: Scored
    images: list[ImageMatch]
    judged: Judged
    threshold: float


def describe_object_errors(scored: Scored) -> ErrorReport:
    """Return the errors of a detector on a split."""
    by_mask = scored.task == "instance"
    predictions = read_shard(scored.outcome)
    images = list(match_images(scored.truth, predictions, scored.max_boxes, by_mask=by_mask))
    judged = Judged.concatenate([match.judged for match in images])
    matched = _Matched(scored, images, judged, best_threshold(judged))
    parts = [
        *_costs(matched),
        *_confusions(matched),
        *_curves(judged, scored.truth),
        *recall_parts(images, matched.threshold),
    ]
    return ErrorReport(parts, [_unlabelled(matched), _worst(matched)])


def _costs(matched: _Matched) -> list[str]:
    """Return the number and the cost of each kind of error."""
    judged = matched.judged
    given = judged.scores >= matched.threshold
    costs = error_costs(judged)
    rows = []
    for index, kind in enumerate(KINDS):
        count = int(((judged.kinds == index) & given).sum())
        count = judged.count_missed(matched.threshold) if kind == "missed" else count
        rows.append([kind, _EXPLANATIONS[kind], f"{count:,}", f"{100 * costs[kind]:.2f}"])
    text = (
        f"AP at an IoU of 0.5 is {100 * mean_ap(judged):.2f}. The cost of a kind is what the AP "
        "would gain if all its errors were corrected (Bolya et al. 2020). Costs do not add up, "
        "because an error may hide behind another. Errors are counted from a score of "
        f"{matched.threshold:.2f} on, where F1 is highest; the AP counts predictions of any score."
    )
    head = ["kind", "meaning", "errors", "cost in AP"]
    return [heading("Kinds of errors"), paragraph(text), table(head, rows)]


def _confusions(matched: _Matched) -> list[str]:
    names = matched.scored.truth.class_names
    total = np.zeros((len(names) + 1,) * 2, np.int64)
    for match in matched.images:
        total += confusions(match, matched.threshold, len(names))
    text = "Objects of gold by the class that was predicted, from the same score on."
    rows, columns = [*names, "nothing"], [*names, "not found"]
    return [heading("Confusions"), paragraph(text), *confusion_table(total, rows, columns)]


def _curves(judged: Judged, truth: Dataset) -> list[str]:
    """Return the precision-recall curve of each class."""
    lines = []
    order = np.argsort(-judged.scores, kind="stable")
    for index, name in enumerate(truth.class_names[:_MOST_CLASSES]):
        total = int((judged.gold_classes == index).sum())
        rows = order[(judged.classes[order] == index) & (judged.kinds[order] >= RIGHT)]
        if not total or not len(rows):
            continue
        precision, recall = precision_recall(judged.kinds[rows] == RIGHT, total)
        # Between two hits precision only falls: the hits alone draw the curve.
        hits = np.flatnonzero(judged.kinds[rows] == RIGHT)
        chosen = np.unique(np.linspace(0, len(hits) - 1, _CURVE_POINTS).round().astype(int))
        places = hits[chosen] if len(hits) else np.array([len(rows) - 1])
        points = np.column_stack([recall[places], precision[places]]).round(4).tolist()
        lines.append(Line(name, class_colour(index), [(x, y) for x, y in points]))
    drawn = chart(
        "Precision and recall of each class at an IoU of 0.5",
        "recall",
        "precision",
        lines,
        (0.0, 1.0),
    )
    return [heading("Precision and recall"), f'<div class="charts">{drawn}</div>'] if drawn else []


def _worst(matched: _Matched) -> Gallery:
    """Return the images with the most errors, gold beside predictions."""
    scored = matched.scored
    gallery = Gallery(
        f"worst-{scored.split}",
        "Worst images",
        "The images with the most errors, gold beside the predictions from a score of "
        f"{matched.threshold:.2f} on. Thick dashed lines: gold that is not found, and wrong "
        "predictions. Point at one for its kind of error.",
    )
    errors = [_count_errors(match, matched.threshold) for match in matched.images]
    ranked = sorted(range(len(errors)), key=lambda row: (-sum(errors[row]), row))
    for row in ranked[:MOST_SHOWN]:
        wrong, missed = errors[row]
        if wrong + missed:
            caption = f"{wrong} wrong, {missed} missed"
            panels = [_gold_panel(matched, row), _found_panel(matched, row)]
            gallery.add(scored.truth.images, row, caption, panels)
    return gallery


def _count_errors(match: ImageMatch, threshold: float) -> tuple[int, int]:
    """Return the wrong predictions of an image from a score on, and its gold without a hit."""
    given = match.judged.scores >= threshold
    hits = int(((match.judged.kinds == RIGHT) & given).sum())
    return int(((match.judged.kinds >= 0) & given).sum()), len(match.gold) - hits


def _size(truth: Dataset, row: int) -> tuple[int, int]:
    return int(truth.images.heights[row]), int(truth.images.widths[row])


def _gold_panel(matched: _Matched, row: int) -> dict[str, object]:
    match, truth = matched.images[row], matched.scored.truth
    hits = (match.judged.kinds == RIGHT) & (match.judged.scores >= matched.threshold)
    codes = np.ones(len(match.gold), np.int64)
    codes[match.judged.targets[hits]] = 0
    gold = without_scores(match.gold)
    labels = encode(gold, match.judged.gold_classes, codes, _size(truth, row))
    return panel("gold", labels, _FOUND)


def _found_panel(
    matched: _Matched, row: int, only: Sequence[int] | None = None
) -> dict[str, object]:
    """Return the predictions of an image from the threshold on, or only some of them."""
    match, truth = matched.images[row], matched.scored.truth
    rows = np.flatnonzero(match.judged.scores >= matched.threshold) if only is None else only
    shown: Annotations = match.found[np.asarray(rows, np.int64)]
    kinds = match.judged.kinds[rows]
    codes = np.where(kinds >= RIGHT, kinds + 1, len(_CODES) - 1)
    labels = encode(shown, match.judged.classes[rows], codes, _size(truth, row))
    return panel("prediction", labels, _CODES)


def _unlabelled(matched: _Matched) -> Gallery:
    """Return the predictions that the model is most sure of, where gold has nothing."""
    scored = matched.scored
    gallery = Gallery(
        f"unlabelled-{scored.split}",
        "Gold may be wrong here",
        "Objects that the model is sure of, where gold has nothing: the ones with the highest "
        "scores. If many of them are real, audit gold: dvc repro extras/dvc.yaml:audit",
        (AUDIT_PAGE, "The audit of gold, if it has been made"),
    )
    found = []
    for row, match in enumerate(matched.images):
        judged = match.judged
        sure = (judged.kinds == KINDS.index("background")) & (judged.scores >= matched.threshold)
        found += [(-float(judged.scores[place]), row, int(place)) for place in np.flatnonzero(sure)]
    for score, row, place in sorted(found)[:MOST_SHOWN]:
        panels = [
            panel("gold", _encode_gold(matched, row), GOLD_CODES),
            _found_panel(matched, row, [place]),
        ]
        gallery.add(scored.truth.images, row, f"score {-score:.2f}", panels)
    return gallery


def _encode_gold(matched: _Matched, row: int) -> list[object]:
    """Return all gold objects of an image as the page draws them."""
    match = matched.images[row]
    codes = np.zeros(len(match.gold), np.int64)
    size = _size(matched.scored.truth, row)
    return encode(without_scores(match.gold), match.judged.gold_classes, codes, size)
