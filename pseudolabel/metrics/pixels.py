"""Metrics of semantic segmentation, from one confusion matrix over all labelled pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.formats.label_maps import UNLABELLED, map_path, read_map
from pseudolabel.metrics.scorer import ByClass, Metrics
from pseudolabel.records import Dataset, LabelMaps


class PixelScorer:
    """Intersection over union and accuracy, over the pixels of all images together.

    IoU of a class is true positives over all that are or are called the class; mIoU and mAcc are
    the means over the classes that have any (Everingham et al. 2010; Long et al. 2015). Pixels that
    gold leaves unlabelled never count.

    Args:
        truth: the split's gold.
        folder: the split's folder, with its label maps.
    """

    def __init__(self, truth: Dataset, folder: Path) -> None:
        self.names = [category.name for category in truth.categories]
        self.folder = folder
        self.confusion = np.zeros((len(self.names), len(self.names)), np.int64)

    def add(self, found: LabelMaps) -> None:
        """Count the maps of some of the images."""
        for image_id, labels in zip(found.image_ids.tolist(), found.labels, strict=True):
            self.confusion += confusion(
                read_map(map_path(self.folder, image_id)), labels, len(self.names)
            )

    def result(self) -> tuple[Metrics, ByClass]:
        """Return mIoU, mAcc and aAcc, and IoU and recall of each class."""
        right = np.diag(self.confusion)
        true, called = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        iou, recall = ratio(right, true + called - right), ratio(right, true)
        overall = {
            "mIoU": mean(iou),
            "mAcc": mean(recall),
            "aAcc": mean(ratio(right.sum(keepdims=True), true.sum(keepdims=True))),
        }
        return overall, {"IoU": self.by_name(iou), "recall": self.by_name(recall)}

    def by_name(self, values: NDArray[np.float64]) -> Metrics:
        """Return one value a class by its name."""
        return {name: mean(values[[row]]) for row, name in enumerate(self.names)}


def confusion(
    truth: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Return the (c, c) pixels of two (h, w) maps by true class (rows) and predicted class."""
    labelled = truth != UNLABELLED
    cells = truth[labelled].astype(np.int64) * classes + labels[labelled]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part by whole, NaN where the whole is nothing."""
    nothing = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=nothing, where=whole > 0)


def mean(values: NDArray[np.float64]) -> float | None:
    """Return the mean of the values that are numbers, to six places; None where there is none."""
    numbers = values[~np.isnan(values)]
    return round(float(numbers.mean()), 6) if numbers.size else None
