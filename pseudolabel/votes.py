"""Objects that several models found in the same images, joined by vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pseudolabel.boxes import grouped_nms, overlapping_pairs
from pseudolabel.records import Annotations

SAME_IOU = 0.55
"""Boxes of one class that overlap by more are one object, as in weighted boxes fusion."""


def joint_votes(found: Sequence[Annotations], same_iou: float = SAME_IOU) -> Annotations:
    """Return the objects of several models, each with the mean of what the models gave it.

    Of boxes that are one object the best stays, with its mask. Its score is the mean over all
    models of the best score that each gave the object, 0 where it saw none: what a single one of
    five models sees keeps a fifth of its score at most (Solovyev et al. 2021 rescale alike).

    Args:
        found: the annotations of each model, images in the same order in all of them.
        same_iou: overlap above which two boxes of an image and class are one object.

    Returns:
        Annotations sorted by image, best first within an image.
    """
    rows = Annotations.concatenate(found)
    voters = np.repeat(np.arange(len(found)), [len(part) for part in found])
    if not len(rows):
        return rows
    classes = int(rows.category_ids.max()) + 1
    groups = rows.image_ids * classes + rows.category_ids
    kept = grouped_nms(rows.boxes_xyxy, rows.scores, groups, same_iou)
    order = np.argsort(groups, kind="stable")
    first, second = overlapping_pairs(rows.boxes_xyxy[order], groups[order], same_iou)
    one, other = order[first], order[second]
    winners, members = np.concatenate([one, other]), np.concatenate([other, one])
    joins = kept[winners] & ~kept[members]
    winners, members = winners[joins], members[joins]
    # A box that overlaps two objects belongs to the better one.
    better = np.lexsort((winners, -rows.scores[winners]))
    members, first = np.unique(members[better], return_index=True)
    winners = winners[better][first]
    best = np.zeros((len(rows), len(found)), np.float32)
    best[np.arange(len(rows)), voters] = rows.scores
    np.maximum.at(best, (winners, voters[members]), rows.scores[members])
    voted = replace(rows, scores=best.mean(axis=1))[kept]
    return voted[np.lexsort((-voted.scores, voted.image_ids))]
