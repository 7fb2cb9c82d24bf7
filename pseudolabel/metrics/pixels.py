"""Metrics of semantic segmentation, from the confusion matrices of all images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.files import written_aside
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

    main = "mIoU"

    def __init__(self, truth: Dataset, folder: Path) -> None:
        self.names = [category.name for category in truth.categories]
        self.folder = folder
        self.rows = {image_id: row for row, image_id in enumerate(truth.images.ids.tolist())}
        self.confusions = np.zeros((len(self.rows), len(self.names), len(self.names)), np.int32)

    def add(self, found: LabelMaps) -> None:
        """Count the maps of some of the images."""
        for image_id, labels in zip(found.image_ids.tolist(), found.labels, strict=True):
            true = read_map(map_path(self.folder, image_id))
            self.confusions[self.rows[image_id]] += confusion(true, labels, len(self.names))

    def result(self) -> tuple[Metrics, ByClass]:
        """Return mIoU, mAcc and aAcc, and IoU and recall of each class."""
        pixels = self.confusions.sum(axis=0, dtype=np.int64)
        right = np.diag(pixels)
        true, called = pixels.sum(axis=1), pixels.sum(axis=0)
        iou, recall = ratio(right, true + called - right), ratio(right, true)
        overall = {
            "mIoU": mean(iou),
            "mAcc": mean(recall),
            "aAcc": mean(ratio(right.sum(keepdims=True), true.sum(keepdims=True))),
        }
        return overall, {"IoU": self.by_name(iou), "recall": self.by_name(recall)}

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mIoU of each of (d, n) draws of images."""
        flat = self.confusions.reshape(len(self.confusions), -1).astype(np.float64)
        times = np.apply_along_axis(np.bincount, 1, draws, minlength=len(flat))
        pixels = (times @ flat).reshape(len(draws), *self.confusions.shape[1:])
        right = np.diagonal(pixels, axis1=1, axis2=2)
        iou = ratio(right, pixels.sum(axis=1) + pixels.sum(axis=2) - right)
        measured = ~np.isnan(iou)
        return ratio(np.where(measured, iou, 0).sum(axis=1), measured.sum(axis=1))

    def write(self, path: Path) -> None:
        """Write the confusion matrix of each image as .npy."""
        with written_aside(path) as aside, aside.open("wb") as file:
            np.save(file, self.confusions, allow_pickle=False)

    def read(self, path: Path) -> None:
        """Count what another scorer of the same split wrote."""
        self.confusions += np.load(path, allow_pickle=False)

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


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return part by whole, NaN where the whole is nothing."""
    nothing = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=nothing, where=whole > 0)


def mean(values: NDArray[np.float64]) -> float | None:
    """Return the mean of the values that are numbers, to six places; None where there is none."""
    numbers = values[~np.isnan(values)]
    return round(float(numbers.mean()), 6) if numbers.size else None
