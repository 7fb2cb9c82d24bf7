"""Boxes and masks of the pool by image: kept, hidden, or dropped with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import boxes
from pseudolabel.core.columns import positions
from pseudolabel.core.records import Annotations, Category
from pseudolabel.formats.shards import Shard, read_shard
from pseudolabel.formats.silver_folder import HIDDEN as HIDDEN_NAME
from pseudolabel.formats.silver_folder import KEPT as KEPT_NAME
from pseudolabel.formats.silver_folder import OUTCOMES, read_outcomes
from pseudolabel.report.entries import (
    FIRST_REASON,
    HIDDEN,
    KEPT,
    Entry,
    RoundSilver,
    binary_doubt,
    bits,
    score_bins,
)
from pseudolabel.report.outlines import outline
from pseudolabel.silver.calibration import scale_scores

_DROPPED_SHOWN = 20
"""Dropped predictions of an image on the page, those with the highest scores."""
_SAME_IOU = 0.5
"""Objects of one class that overlap more than this are the same in two rounds."""


def index_objects(silver: RoundSilver, shard: Shard) -> Iterator[Entry]:
    """Yield the entries of a shard's images."""
    rows = read_shard(silver.predictions / shard.path.name)
    rows = replace(rows, scores=scale_scores(rows.scores, silver.temperature))
    codes, names = read_outcomes(silver.silver / OUTCOMES / shard.path.name)
    outcomes = _page_outcomes(names, silver.reasons)[codes]
    kept = read_shard(silver.silver / shard.path.name)
    before = read_shard(silver.before / shard.path.name) if silver.before else Annotations.empty()
    changed, compared = _changes(kept, before, shard.images.ids)
    columns = _Columns(rows, outcomes, rows.class_indices(silver.categories))
    order = np.lexsort((-rows.scores, rows.image_ids))
    begins, ends = (
        np.searchsorted(rows.image_ids[order], shard.images.ids, side) for side in ("left", "right")
    )
    befores = list(before.by_image(shard.images.ids))
    for image, image_id in enumerate(shard.images.ids.tolist()):
        part = columns.of(order[begins[image] : ends[image]])
        size = int(shard.images.heights[image]), int(shard.images.widths[image])
        in_silver = part.outcomes == KEPT
        shown = part.of(_shown(part.outcomes))
        differs = silver.before is not None and changed[image] > 0
        yield Entry(
            image_id,
            int(in_silver.sum()),
            np.unique(part.classes[in_silver]).tolist(),
            score_bins(part.rows.scores[in_silver]),
            bits(np.unique(part.outcomes[part.outcomes >= FIRST_REASON] - FIRST_REASON).tolist()),
            binary_doubt(part.rows.scores[part.outcomes < FIRST_REASON]),
            (int(changed[image]), int(compared[image])),
            encode(shown.rows, shown.classes, shown.outcomes, size),
            encode_labels(befores[image], silver.categories, size) if differs else [],
        )


@dataclass(frozen=True)
class _Columns:
    """Predictions, their outcomes on the page and their classes, row by row."""

    rows: Annotations
    outcomes: NDArray[np.int64]
    classes: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> _Columns:
        return _Columns(self.rows[rows], self.outcomes[rows], self.classes[rows])


def _page_outcomes(names: Sequence[str], reasons: Sequence[str]) -> NDArray[np.int64]:
    """Return the outcome on the page of each outcome of a silver folder."""
    known = {KEPT_NAME: KEPT, HIDDEN_NAME: HIDDEN}
    known |= {name: FIRST_REASON + index for index, name in enumerate(reasons)}
    return np.array([known[name] for name in names], np.int64)


def _shown(outcomes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows to show of an image's (m,) predictions, sorted by score."""
    dropped = np.flatnonzero(outcomes >= FIRST_REASON)[:_DROPPED_SHOWN]
    return np.sort(np.concatenate([np.flatnonzero(outcomes < FIRST_REASON), dropped]))


def encode_labels(
    rows: Annotations, categories: Sequence[Category], size: tuple[int, int]
) -> list[Any]:
    """Return the labels of one image as the page draws them; crowds are hidden."""
    return encode(rows, rows.class_indices(categories), rows.crowds.astype(np.int64), size)


def without_scores(rows: Annotations) -> Annotations:
    """Return objects whose scores are not shown: those of gold mean nothing."""
    return replace(rows, scores=np.full(len(rows), np.nan, np.float32))


def encode(
    rows: Annotations,
    classes: NDArray[np.int64],
    outcomes: NDArray[np.int64],
    size: tuple[int, int],
) -> list[Any]:
    """Return objects as the page draws them: class, score, outcome, box, and outline of the mask.

    A score that is not a number is null.

    Args:
        rows: the objects of one image.
        classes: (m,) index of each class.
        outcomes: (m,) outcome of each object.
        size: height and width of the image.
    """
    corners = np.round(rows.boxes_xyxy.astype(np.float64), 1).tolist()
    scores = np.round(rows.scores.astype(np.float64), 3).tolist()
    labels = []
    for row, box in enumerate(corners):
        label = [int(classes[row]), scores[row], int(outcomes[row]), box]
        labels.append([*label, outline(rows.masks[row], *size)] if rows.masks[row] else label)
    return labels


def _changes(
    now: Annotations, before: Annotations, image_ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the (n,) labels of two rounds without a match in the other one, and all their labels.

    Hidden objects are no labels. A match is a label of the same image and class with an IoU above
    0.5, as for the agreement of two rounds.
    """
    rows = Annotations.concatenate([now[~now.crowds], before[~before.crowds]])
    of_image = positions(rows.image_ids, image_ids)
    compared = np.bincount(of_image, minlength=len(image_ids))
    if not len(rows):
        return compared, compared
    is_now = np.arange(len(rows)) < int((~now.crowds).sum())
    groups = rows.image_ids * (int(rows.category_ids.max()) + 1) + rows.category_ids
    order = np.argsort(groups, kind="stable")
    first, second = boxes.overlapping_pairs(rows.boxes_xyxy[order], groups[order], _SAME_IOU)
    first, second = order[first], order[second]
    across = is_now[first] != is_now[second]
    matched = np.zeros(len(rows), bool)
    matched[first[across]] = matched[second[across]] = True
    return np.bincount(of_image[~matched], minlength=len(image_ids)), compared
