"""Metrics of classification, from the probabilities of all classes per image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.columns import positions
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Dataset
from pseudolabel.evaluation.scorer import ByClass, Metrics, mean_or_none, ratio
from pseudolabel.formats.shards import read_probabilities, write_probabilities

_BINS = 15
"""Bins of equal width for the calibration error, as in Guo et al. 2017."""


class ClassScorer:
    """Accuracy, macro F1 and calibration over all images.

    Macro F1 is the mean over the classes that gold or predictions have. A class without a right
    prediction counts as 0. The expected calibration error (ece) is the mean gap between confidence
    and accuracy over 15 bins of confidence, weighted by their images (Guo et al. 2017).

    Args:
        truth: the split's gold, one annotation per image.
    """

    main = "top1"

    def __init__(self, truth: Dataset) -> None:
        self.truth = truth
        self.parts: list[Probabilities] = []

    def add(self, predictions: Probabilities) -> None:
        """Add the probabilities of some of the images."""
        self.parts.append(predictions)

    def result(self) -> tuple[Metrics, ByClass]:
        """Return top1, top5, macro_f1 and ece, and the F1 and recall of each class."""
        names = self.truth.class_names
        predictions = Probabilities.concatenate(self.parts)
        values, classes = predictions.values, self._true_classes(predictions.image_ids)
        guesses = _guesses(values)
        # The last column counts the images without a prediction.
        size = (len(names), len(names) + 1)
        table = np.bincount(classes * size[1] + guesses, minlength=size[0] * size[1])
        table = table.reshape(size)
        right, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)[:-1]
        f1, recall = ratio(2 * right, true + predicted), ratio(right, true)
        overall = {
            "top1": mean_or_none((guesses == classes).astype(np.float64)),
            "top5": mean_or_none(_is_in_top(values, classes, 5)),
            "macro_f1": mean_or_none(f1),
            "ece": _calibration_error(values.max(axis=1), guesses == classes),
        }
        by_class = {
            metric: {name: mean_or_none(column[[row]]) for row, name in enumerate(names)}
            for metric, column in (("F1", f1), ("recall", recall))
        }
        return overall, by_class

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the (d,) top1 of (d, n) draws of images."""
        predictions = Probabilities.concatenate(self.parts)
        image_ids, guesses = predictions.image_ids, _guesses(predictions.values)
        right = np.empty(len(image_ids))
        right[positions(image_ids, self.truth.images.ids)] = guesses == self._true_classes(
            image_ids
        )
        top1: NDArray[np.float64] = right[draws].mean(axis=1)
        return top1

    def write(self, path: Path) -> None:
        """Write all predictions added as a shard of probabilities (Parquet)."""
        write_probabilities(path, Probabilities.concatenate(self.parts))

    def read(self, path: Path) -> None:
        """Add the predictions that another scorer of the same split wrote."""
        self.add(read_probabilities(path))

    def _true_classes(self, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the (n,) index of each image's class in gold."""
        return self.truth.class_indices[positions(image_ids, self.truth.annotations.image_ids)]


def _guesses(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the (n,) index of the most probable class; c for an image without a prediction."""
    return np.where(values.any(axis=1), values.argmax(axis=1), values.shape[1])


def _is_in_top(
    values: NDArray[np.float32], classes: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Return (n,) 1 if the true class is among the `count` most probable ones, else 0."""
    true = np.take_along_axis(values, classes[:, None], axis=1)
    is_in_top = ((values > true).sum(axis=1) < count) & values.any(axis=1)
    return is_in_top.astype(np.float64)


def _calibration_error(confidences: NDArray[np.float32], right: NDArray[np.bool_]) -> float | None:
    """Return the expected calibration error of (n,) confidences; None if there are no images."""
    bins = np.minimum((confidences * _BINS).astype(np.int64), _BINS - 1)
    if not len(bins):
        return None
    gaps = np.abs(np.bincount(bins, confidences, _BINS) - np.bincount(bins, right, _BINS))
    return mean_or_none(gaps.sum(keepdims=True) / len(bins))
