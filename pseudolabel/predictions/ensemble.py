"""Weighted boxes fusion of the objects that several models or views predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.boxes import iou_matrix
from pseudolabel.core.records import Annotations

_FUSION_IOU = 0.55
"""Boxes of one class with a larger IoU are one object, as in Solovyev et al. 2021."""


def fuse_boxes(
    predictions: Sequence[Annotations], iou_threshold: float = _FUSION_IOU
) -> Annotations:
    """Return the fused objects of several models or views (Solovyev et al. 2021).

    A fused box is the mean of its object's boxes, weighted by their scores. Its score is their mean
    score, times the share of the models that predicted the object. If only one of five models
    predicted it, it keeps a fifth of its score. If objects have masks, the fused object takes the
    mask that fits its box best, and the box of that mask.

    Args:
        predictions: the annotations of each model and view.
        iou_threshold: two boxes of an image and class with a larger IoU are one object.

    Returns:
        Annotations sorted by image, best first within an image.
    """
    rows = Annotations.concatenate(predictions)
    models = np.repeat(np.arange(len(predictions)), [len(part) for part in predictions])
    order = np.argsort(rows.image_ids, kind="stable")
    borders = np.flatnonzero(np.diff(rows.image_ids[order])) + 1
    parts = [
        _fuse_image(rows[of_image], models[of_image], len(predictions), iou_threshold)
        for of_image in np.split(order, borders)
        if len(of_image)
    ]
    return Annotations.concatenate(parts)


def _fuse_image(
    rows: Annotations, models: NDArray[np.int64], model_count: int, iou_threshold: float
) -> Annotations:
    # It imports numba, which takes seconds: only ensembles need it.
    from ensemble_boxes import weighted_boxes_fusion  # noqa: PLC0415

    scale = max(1.0, float(rows.boxes_xyxy.max()))
    by_model = [rows[models == model] for model in range(model_count)]
    boxes, scores, classes = weighted_boxes_fusion(
        [part.boxes_xyxy / scale for part in by_model],
        [part.scores for part in by_model],
        [part.category_ids for part in by_model],
        iou_thr=iou_threshold,
    )
    boxes = np.asarray(boxes * scale, np.float32).reshape(-1, 4)
    overlaps = iou_matrix(boxes, rows.boxes_xyxy)
    overlaps[classes[:, None] != rows.category_ids[None]] = -1
    fused = replace(rows[overlaps.argmax(axis=1)], scores=scores.astype(np.float32))
    if not all(fused.masks):
        sides = boxes[:, 2:] - boxes[:, :2]
        fused = replace(fused, boxes_xyxy=boxes, areas=sides.prod(axis=1))
    return fused[np.lexsort((fused.category_ids, -fused.scores))]
