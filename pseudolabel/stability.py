"""How much two predictions for the same images agree: what moves with the model is not reliable.

ST++ (Yang et al. 2022) ranks unlabelled images so, by checkpoints of the teacher's training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import kl_div

from pseudolabel.boxes import iou_matrix
from pseudolabel.records import Annotations, LabelMaps, Probabilities

Shares = NDArray[np.float32]
FLOOR = 1e-6
"""Added to probabilities: that of nothing has no logarithm."""


def objects_agreement(
    found: Annotations, other: Annotations, image_ids: NDArray[np.int64]
) -> Shares:
    """Return for each of (n,) images how far its objects are found again.

    Each object counts with the overlap of the best one of its class in the other prediction, times
    the ratio of the two scores, weighted by its own score squared: doubtful ones hardly count. 0
    where nothing was found.
    """
    return np.array(
        [agreement_of(on(found, it), on(other, it)) for it in image_ids.tolist()], np.float32
    )


def on(rows: Annotations, image_id: int) -> Annotations:
    """Return the rows of one image."""
    return rows[rows.image_ids == image_id]


def agreement_of(found: Annotations, other: Annotations) -> float:
    """Return how far the objects of one image are found again."""
    if not len(found) or not len(other):
        return 0.0
    overlaps = iou_matrix(found.boxes_xyxy, other.boxes_xyxy)
    overlaps[found.category_ids[:, None] != other.category_ids[None]] = 0
    one, two = found.scores, other.scores[overlaps.argmax(axis=1)]
    again = overlaps.max(axis=1) * np.minimum(one, two) / np.maximum(one, two)
    return float((one**2 * again).sum() / (one**2).sum())


def classes_agreement(found: Probabilities, other: Probabilities) -> Shares:
    """Return for each image exp(-KL) of its probabilities from those of another prediction."""
    divergence = kl_div(found.values + FLOOR, other.values + FLOOR).sum(axis=1)
    return np.exp(-divergence).astype(np.float32)


def maps_agreement(found: LabelMaps, other: LabelMaps) -> Shares:
    """Return for each image the mean IoU of two label maps, over the classes that any has."""
    pairs = zip(found.labels, other.labels, strict=True)
    return np.array([mean_iou(one, two) for one, two in pairs], np.float32)


def mean_iou(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean over classes of the intersection over union of two (h, w) maps."""
    same = np.bincount(one[one == other], minlength=256)
    union = np.bincount(one.ravel(), minlength=256) + np.bincount(other.ravel(), minlength=256)
    union = union - same
    return float((same[union > 0] / union[union > 0]).mean())
