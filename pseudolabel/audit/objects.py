"""Doubtful boxes and masks, by the predictions that overlap them.

cleanlab's scores for detection were tried and are not used: on data with a tenth of the labels
broken they ranked far worse (docs/benchmarks.md).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.audit.suspects import (
    MISPLACED,
    MISSED,
    WRONG_CLASS,
    Box,
    Suspect,
    first_suspects_first,
)
from pseudolabel.boxes import grouped_nms, iou_matrix
from pseudolabel.formats.tables import read_shards
from pseudolabel.records import Annotations, Dataset

SAME_IOU = 0.5
"""Boxes that overlap by more are of one object."""
APART_IOU = 0.1
"""A prediction that overlaps every label by less is of an object without a label."""

Scores = NDArray[np.float32]


def object_suspects(gold: Dataset, predictions: Path) -> list[Suspect]:
    """Return the labels that predictions contradict, and the objects that have none.

    The doubt in a label is the score of the best prediction that says otherwise (another class at
    its place, or its class at a place beside it) less that of the best one that confirms it; for a
    missed object it is the score of its prediction. Crowds are neither judged nor missed.

    Args:
        gold: labels with boxes.
        predictions: the folder with the shards of the cross-fit.
    """
    found, rows = by_image(read_shards(predictions)), by_image(gold.annotations)
    names = {category.id: category.name for category in gold.categories}
    suspects: list[Suspect] = []
    for image_id, file in zip(gold.images.ids.tolist(), gold.images.file_names, strict=True):
        labels, seen = rows_of(rows, image_id), rows_of(found, image_id)
        overlaps = iou_matrix(labels.boxes_xyxy, seen.boxes_xyxy)
        suspects += contradicted(file, labels, seen, overlaps, names)
        suspects += missed(file, seen, overlaps, names)
    return first_suspects_first(suspects)


def by_image(rows: Annotations) -> Annotations:
    """Return rows sorted by image."""
    return rows[np.argsort(rows.image_ids, kind="stable")]


def rows_of(rows: Annotations, image_id: int) -> Annotations:
    """Return the rows of one image among rows sorted by image."""
    begin, end = np.searchsorted(rows.image_ids, [image_id, image_id + 1])
    return rows[begin:end]


def contradicted(
    file: str, labels: Annotations, seen: Annotations, overlaps: Scores, names: dict[int, str]
) -> list[Suspect]:
    """Return the labels of one image that a prediction contradicts more than any confirms them."""
    if not len(labels) or not len(seen):
        return []
    same_class = labels.category_ids[:, None] == seen.category_ids[None]
    at_place = overlaps > SAME_IOU
    nearest = overlaps.argmax(axis=0)[None] == np.arange(len(labels))[:, None]
    beside = nearest & (overlaps > APART_IOU) & (overlaps.max(axis=0) <= SAME_IOU)[None]
    support = best(same_class & at_place, seen.scores)[0]
    suspects = []
    for kind, says in ((WRONG_CLASS, ~same_class & at_place), (MISPLACED, same_class & beside)):
        scores, row = best(says, seen.scores)
        suspects += [
            Suspect(
                round(1 - float(scores[at] - support[at]), 4),
                file,
                kind,
                int(labels.ids[at]),
                names[int(labels.category_ids[at])],
                names[int(seen.category_ids[row[at]])],
                corners(labels, at),
                corners(seen, int(row[at])),
            )
            for at in np.flatnonzero((scores > support) & ~labels.crowds)
        ]
    # One line a label: the graver doubt.
    graver = {it.annotation_id: it for it in sorted(suspects, key=lambda it: -it.quality)}
    return list(graver.values())


def missed(file: str, seen: Annotations, overlaps: Scores, names: dict[int, str]) -> list[Suspect]:
    """Return the predictions of one image that are beside all labels, each object once."""
    lonely = seen[overlaps.max(axis=0, initial=0) < APART_IOU]
    groups = np.zeros(len(lonely), np.int64)
    objects = lonely[grouped_nms(lonely.boxes_xyxy, lonely.scores, groups, APART_IOU)]
    return [
        Suspect(
            round(1 - float(objects.scores[at]), 4),
            file,
            MISSED,
            None,
            "",
            names[int(objects.category_ids[at])],
            None,
            corners(objects, at),
        )
        for at in range(len(objects))
    ]


def best(says: NDArray[np.bool_], scores: Scores) -> tuple[Scores, NDArray[np.int64]]:
    """Return for each label the best score of the predictions that say so, and their rows.

    Args:
        says: (n, m) for n labels and m predictions.
        scores: (m,) scores.
    """
    table = np.where(says, scores[None], 0)
    return table.max(axis=1), table.argmax(axis=1)


def corners(rows: Annotations, at: int) -> Box:
    """Return the box of one row to a tenth of a pixel."""
    x1, y1, x2, y2 = (round(float(value), 1) for value in rows.boxes_xyxy[at])
    return x1, y1, x2, y2
