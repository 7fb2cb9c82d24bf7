"""Probably wrong boxes and masks, found by comparing them with predictions.

cleanlab's scores for detection are not used. On data with errors in a tenth of the labels, they
ranked the errors far worse (docs/benchmarks.md).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.audit.suspects import MISPLACED, MISSED, WRONG_CLASS, Box, Suspect, sort_suspects
from pseudolabel.core.boxes import covered_shares, grouped_nms, iou_matrix
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.shards import read_shards

SAME_OBJECT_IOU = 0.5
"""Boxes with a larger IoU belong to the same object."""
_SEPARATE_IOU = 0.1
"""A prediction whose IoU with every label is smaller belongs to an object without a label."""

_Scores = NDArray[np.float32]


def object_suspects(gold: Dataset, predictions: Path) -> list[Suspect]:
    """Return the labels that predictions contradict, and the objects that have no label.

    The quality of a label is 1 - (contradiction - support). The contradiction is the highest score
    of a prediction of another class at the same place, or of the same class beside it. The support
    is the highest score of a prediction of the same class at the same place. The quality of an
    object without a label is 1 - the score of its prediction. Crowds are never suspects, and
    neither is a prediction of which at least half lies inside a crowd of its class.

    Args:
        gold: labels with boxes.
        predictions: the folder with the shards of the cross-fit.
    """
    all_predicted, images = read_shards(predictions), gold.images
    names = {category.id: category.name for category in gold.categories}
    suspects: list[Suspect] = []
    for file, labels, predicted in zip(
        images.file_names,
        gold.annotations.by_image(images.ids),
        all_predicted.by_image(images.ids),
        strict=True,
    ):
        overlaps = iou_matrix(labels.boxes_xyxy, predicted.boxes_xyxy)
        suspects += _contradicted_labels(file, labels, predicted, overlaps, names)
        alone = overlaps.max(axis=0, initial=0) < _SEPARATE_IOU
        alone &= ~_on_crowds(predicted, labels[labels.crowds])
        suspects += _missed_objects(file, predicted[alone], names)
    return sort_suspects(suspects)


def _contradicted_labels(
    file: str, labels: Annotations, predicted: Annotations, overlaps: _Scores, names: dict[int, str]
) -> list[Suspect]:
    """Return the labels of one image whose contradiction is stronger than their support.

    Args:
        file: the image's name.
        labels: n labels.
        predicted: m predictions.
        overlaps: (n, m) IoU.
        names: of the classes, by category id.
    """
    if not len(labels) or not len(predicted):
        return []
    same_class = labels.category_ids[:, None] == predicted.category_ids[None]
    at_place = overlaps > SAME_OBJECT_IOU
    nearest = overlaps.argmax(axis=0)[None] == np.arange(len(labels))[:, None]
    beside = nearest & (overlaps > _SEPARATE_IOU) & (overlaps.max(axis=0) <= SAME_OBJECT_IOU)[None]
    support = _best_scores(same_class & at_place, predicted.scores)[0]
    suspects = []
    for kind, related in ((WRONG_CLASS, ~same_class & at_place), (MISPLACED, same_class & beside)):
        scores, best = _best_scores(related, predicted.scores)
        suspects += [
            Suspect(
                round(1 - float(scores[row] - support[row]), 4),
                file,
                kind,
                int(labels.ids[row]),
                names[int(labels.category_ids[row])],
                names[int(predicted.category_ids[best[row]])],
                corners(labels, row),
                corners(predicted, int(best[row])),
            )
            for row in np.flatnonzero((scores > support) & ~labels.crowds)
        ]
    # A label with two suspects keeps the one of the lower quality: it overwrites the other one.
    falling = sorted(suspects, key=lambda suspect: -suspect.quality)
    return list({suspect.annotation_id: suspect for suspect in falling}.values())


def _on_crowds(predicted: Annotations, crowds: Annotations) -> NDArray[np.bool_]:
    """Return the (n,) predictions of which half or more lies inside a crowd of their class."""
    shares = covered_shares(predicted.boxes_xyxy, crowds.boxes_xyxy)
    shares[predicted.category_ids[:, None] != crowds.category_ids[None]] = 0
    inside: NDArray[np.bool_] = shares.max(axis=1, initial=0) >= SAME_OBJECT_IOU
    return inside


def _missed_objects(file: str, separate: Annotations, names: dict[int, str]) -> list[Suspect]:
    """Return the predictions of one image that no label overlaps, each object once (by NMS)."""
    groups = np.zeros(len(separate), np.int64)
    objects = separate[grouped_nms(separate.boxes_xyxy, separate.scores, groups, _SEPARATE_IOU)]
    return [
        Suspect(
            round(1 - float(objects.scores[row]), 4),
            file,
            MISSED,
            None,
            "",
            names[int(objects.category_ids[row])],
            None,
            corners(objects, row),
        )
        for row in range(len(objects))
    ]


def _best_scores(related: NDArray[np.bool_], scores: _Scores) -> tuple[_Scores, NDArray[np.int64]]:
    """Return the (n,) best score of each label's related predictions, and (n,) their rows.

    Args:
        related: (n, m) whether each of m predictions is related to each of n labels.
        scores: (m,) scores of the predictions.
    """
    table = np.where(related, scores[None], 0)
    return table.max(axis=1), table.argmax(axis=1)


def corners(rows: Annotations, row: int) -> Box:
    """Return the box of one row, rounded to a tenth of a pixel."""
    x1, y1, x2, y2 = (round(float(value), 1) for value in rows.boxes_xyxy[row])
    return x1, y1, x2, y2
