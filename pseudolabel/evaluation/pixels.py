"""Metrics of semantic segmentation, from one confusion matrix per image."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.files import written_aside
from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.records import Dataset
from pseudolabel.evaluation.history import maps_folder
from pseudolabel.evaluation.scorer import ByClass, Metrics, mean_or_none, ratio
from pseudolabel.formats.label_maps import UNLABELLED, map_path, write_map
from pseudolabel.formats.split_folder import SplitFolder


class PixelScorer:
    """Intersection over union and accuracy, over the pixels of all images together.

    The IoU of a class is TP / (TP + FP + FN). mIoU and mAcc are the means over the classes for
    which they are defined (Everingham et al. 2010; Long et al. 2015). Pixels without a gold label
    never count.

    Args:
        truth: the split's gold.
        folder: the split's folder, with its label maps.
    """

    main = "mIoU"

    def __init__(self, truth: Dataset, folder: Path) -> None:
        self.names = [category.name for category in truth.categories]
        self.split = SplitFolder(folder)
        self.rows = {image_id: row for row, image_id in enumerate(truth.images.ids.tolist())}
        self.confusions = np.zeros((len(self.rows), len(self.names), len(self.names) + 1), np.int32)
        # On disk, because the maps of a large split need more memory than there is.
        self.maps = TemporaryDirectory(prefix="pseudolabel-maps-")

    def add(self, predictions: LabelMaps) -> None:
        """Add the label maps of some of the images."""
        classes = len(self.names)
        maps = zip(
            predictions.image_ids.tolist(),
            predictions.labels,
            predictions.confidences,
            strict=True,
        )
        for image_id, labels, confidences in maps:
            true = self.split.label_map(image_id)
            # The last column counts the pixels without a prediction.
            guesses = np.where(confidences == 0, np.uint8(classes), labels)
            table = confusion(true, guesses, classes + 1)[:classes]
            self.confusions[self.rows[image_id]] += table
            shown = np.where(confidences == 0, np.uint8(UNLABELLED), labels)
            write_map(map_path(Path(self.maps.name), image_id), shown)

    def result(self) -> tuple[Metrics, ByClass]:
        """Return mIoU, mAcc and aAcc, and the IoU and recall of each class."""
        pixels = self.confusions.sum(axis=0, dtype=np.int64)
        right = np.diag(pixels)
        true, predicted = pixels.sum(axis=1), pixels.sum(axis=0)[:-1]
        iou, recall = ratio(right, true + predicted - right), ratio(right, true)
        overall = {
            "mIoU": mean_or_none(iou),
            "mAcc": mean_or_none(recall),
            "aAcc": mean_or_none(ratio(right.sum(keepdims=True), true.sum(keepdims=True))),
        }
        return overall, {"IoU": self._by_name(iou), "recall": self._by_name(recall)}

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the (d,) mIoU of (d, n) draws of images."""
        flat = self.confusions.reshape(len(self.confusions), -1).astype(np.float64)
        # The number of times that each image is in each draw, (d, n).
        repeats = np.apply_along_axis(np.bincount, 1, draws, minlength=len(flat))
        pixels = (repeats @ flat).reshape(len(draws), *self.confusions.shape[1:])
        right = np.diagonal(pixels, axis1=1, axis2=2)
        iou = ratio(right, pixels.sum(axis=1)[:, :-1] + pixels.sum(axis=2) - right)
        defined = ~np.isnan(iou)
        return ratio(np.where(defined, iou, 0).sum(axis=1), defined.sum(axis=1))

    def write(self, path: Path) -> None:
        """Write the (n, c, c + 1) confusion matrices as .npy, and all label maps beside them."""
        with written_aside(path) as aside, aside.open("wb") as file:
            np.save(file, self.confusions, allow_pickle=False)
        shutil.copytree(self.maps.name, maps_folder(path))

    def read(self, path: Path) -> None:
        """Add the confusion matrices that another scorer of the same split wrote."""
        self.confusions += np.load(path, allow_pickle=False)

    def _by_name(self, values: NDArray[np.float64]) -> Metrics:
        """Return one value per class, by the name of the class."""
        return {name: mean_or_none(values[[row]]) for row, name in enumerate(self.names)}


def confusion(
    truth: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Return the (c, c) confusion matrix of two (h, w) maps: true classes are rows."""
    labelled = truth != UNLABELLED
    cells = truth[labelled].astype(np.int64) * classes + labels[labelled]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
