"""The agreement of two predictions for the same images: unstable predictions are unreliable.

ST++ (Yang et al. 2022) ranks unlabelled images by the agreement of a teacher's checkpoints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import kl_div

from pseudolabel.core.boxes import iou_matrix
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations

Shares = NDArray[np.float32]
"""(n,) agreement of each image, 0 to 1."""
_SMALLEST_PROBABILITY = 1e-6
"""Added to probabilities, because 0 has no logarithm."""


def objects_agreement(one: Annotations, other: Annotations, image_ids: NDArray[np.int64]) -> Shares:
    """Return how well the objects of each image match the other prediction.

    An object's match is its best IoU with an object of its class, times the ratio of the two
    scores. The mean over objects is weighted by the squared score, so that uncertain objects hardly
    count. An image without objects in either prediction has 0.

    Args:
        one: the prediction whose objects are matched.
        other: the prediction to compare with.
        image_ids: (n,) ids of the images.
    """
    pairs = zip(one.by_image(image_ids), other.by_image(image_ids), strict=True)
    return np.array([_image_agreement(*pair) for pair in pairs], np.float32)


def _image_agreement(one: Annotations, other: Annotations) -> float:
    if not len(one) or not len(other):
        return 0.0
    overlaps = iou_matrix(one.boxes_xyxy, other.boxes_xyxy)
    overlaps[one.category_ids[:, None] != other.category_ids[None]] = 0
    scores, matched = one.scores, other.scores[overlaps.argmax(axis=1)]
    matches = overlaps.max(axis=1) * np.minimum(scores, matched) / np.maximum(scores, matched)
    return float((scores**2 * matches).sum() / (scores**2).sum())


def classes_agreement(one: Probabilities, other: Probabilities) -> Shares:
    """Return exp(-KL divergence) of the two predicted distributions of each image."""
    divergence = kl_div(one.values + _SMALLEST_PROBABILITY, other.values + _SMALLEST_PROBABILITY)
    return np.exp(-divergence.sum(axis=1)).astype(np.float32)


def maps_agreement(one: LabelMaps, other: LabelMaps) -> Shares:
    """Return the mean IoU of the two label maps of each image, over the classes in either map."""
    pairs = zip(one.labels, other.labels, strict=True)
    return np.array([_mean_iou(*pair) for pair in pairs], np.float32)


def _mean_iou(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    same = np.bincount(one[one == other], minlength=256)
    union = np.bincount(one.ravel(), minlength=256) + np.bincount(other.ravel(), minlength=256)
    union = union - same
    return float((same[union > 0] / union[union > 0]).mean())
