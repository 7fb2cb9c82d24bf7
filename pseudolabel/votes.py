"""Objects that models or views found in the same images, joined by weighted boxes fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.boxes import iou_matrix
from pseudolabel.records import Annotations

SAME_IOU = 0.55
"""Boxes of one class that overlap by more are one object, as Solovyev et al. have it."""


def joint_votes(found: Sequence[Annotations], same_iou: float = SAME_IOU) -> Annotations:
    """Return the objects of several models or views as one set (Solovyev et al. 2021).

    A box is the mean of those that are one object, weighted by their scores. Its score is their
    mean, times the share of the models that saw it: what a single one of five models sees keeps a
    fifth of its score. Where objects have masks, the one that fits best follows, with its own box.

    Args:
        found: the annotations of each model and view.
        same_iou: overlap above which two boxes of an image and class are one object.

    Returns:
        Annotations sorted by image, best first within an image.
    """
    rows = Annotations.concatenate(found)
    voters = np.repeat(np.arange(len(found)), [len(part) for part in found])
    own = (rows.image_ids == image_id for image_id in np.unique(rows.image_ids))
    parts = [fused(rows[it], voters[it], len(found), same_iou) for it in own]
    return Annotations.concatenate(parts)


def fused(
    rows: Annotations, voters: NDArray[np.int64], models: int, same_iou: float
) -> Annotations:
    """Return the objects of one image, best first."""
    # numba, which it brings, takes seconds to import: only ensembles need it.
    from ensemble_boxes import weighted_boxes_fusion  # noqa: PLC0415

    scale = max(1.0, float(rows.boxes_xyxy.max()))
    by_model = [rows[voters == it] for it in range(models)]
    boxes, scores, classes = weighted_boxes_fusion(
        [it.boxes_xyxy / scale for it in by_model],
        [it.scores for it in by_model],
        [it.category_ids for it in by_model],
        iou_thr=same_iou,
    )
    boxes = np.asarray(boxes * scale, np.float32).reshape(-1, 4)
    overlaps = iou_matrix(boxes, rows.boxes_xyxy)
    overlaps[classes[:, None] != rows.category_ids[None]] = -1
    joint = replace(rows[overlaps.argmax(axis=1)], scores=scores.astype(np.float32))
    if not all(joint.masks):
        sides = boxes[:, 2:] - boxes[:, :2]
        joint = replace(joint, boxes_xyxy=boxes, areas=sides.prod(axis=1))
    return joint[np.lexsort((joint.category_ids, -joint.scores))]
