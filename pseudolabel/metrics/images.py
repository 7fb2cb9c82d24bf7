"""Metrics of classification, from the probabilities of all classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.formats import tables
from pseudolabel.metrics.pixels import mean, ratio
from pseudolabel.metrics.scorer import ByClass, Metrics
from pseudolabel.records import Dataset, Probabilities, category_ids_of, positions

BINS = 15
"""Bins of equal width for the calibration error, as Guo et al. 2017 have."""


class ImageScorer:
    """Accuracy, macro F1 and calibration over all images.

    Macro F1 is the mean over the classes that gold or predictions have, a class without a hit
    counting 0; the expected calibration error is the mean gap between confidence and accuracy over
    15 bins of confidence, weighted by their images (Guo et al. 2017).

    Args:
        truth: the split's gold, one annotation an image.
    """

    main = "top1"

    def __init__(self, truth: Dataset) -> None:
        self.truth = truth
        self.found: list[Probabilities] = []

    def add(self, found: Probabilities) -> None:
        """Count the probabilities of some of the images."""
        self.found.append(found)

    def result(self) -> tuple[Metrics, ByClass]:
        """Return top1, top5, macro_f1 and ece, and F1 and recall of each class."""
        names = [category.name for category in self.truth.categories]
        image_ids, values = self.together()
        classes = self.true_classes(image_ids)
        guesses = values.argmax(axis=1)
        table = np.bincount(classes * len(names) + guesses, minlength=len(names) ** 2)
        table = table.reshape(len(names), len(names))
        right, true, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        f1, recall = ratio(2 * right, true + called), ratio(right, true)
        overall = {
            "top1": mean((guesses == classes).astype(np.float64)),
            "top5": mean(among_best(values, classes, 5)),
            "macro_f1": mean(f1),
            "ece": calibration_error(values.max(axis=1), guesses == classes),
        }
        by_class = {
            metric: {name: mean(column[[row]]) for row, name in enumerate(names)}
            for metric, column in (("F1", f1), ("recall", recall))
        }
        return overall, by_class

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the top1 of each of (d, n) draws of images."""
        image_ids, values = self.together()
        right = np.empty(len(image_ids))
        rows = positions(image_ids, self.truth.images.ids)
        right[rows] = values.argmax(axis=1) == self.true_classes(image_ids)
        top1: NDArray[np.float64] = right[draws].mean(axis=1)
        return top1

    def write(self, path: Path) -> None:
        """Write all that was added as Parquet."""
        tables.write_probabilities(path, Probabilities(*self.together()), ())

    def read(self, path: Path) -> None:
        """Count what another scorer of the same split wrote."""
        self.add(tables.read_probabilities(path))

    def together(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the (n,) ids of all images that were added, and their (n, c) probabilities."""
        image_ids = np.concatenate([part.image_ids for part in self.found])
        return image_ids, np.concatenate([part.values for part in self.found])

    def true_classes(self, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the (n,) position of the class that gold gives each image."""
        rows = self.truth.annotations
        order = np.argsort(rows.image_ids)
        own = order[np.searchsorted(rows.image_ids[order], image_ids)]
        ids = category_ids_of(self.truth.categories)
        by_id = np.argsort(ids)
        return by_id[np.searchsorted(ids[by_id], rows.category_ids[own])]


def among_best(
    values: NDArray[np.float32], classes: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Return 1 for each of (n, c) rows whose true class is among the `count` most probable."""
    own = np.take_along_axis(values, classes[:, None], axis=1)
    return ((values > own).sum(axis=1) < count).astype(np.float64)


def calibration_error(confidences: NDArray[np.float32], right: NDArray[np.bool_]) -> float | None:
    """Return the expected calibration error of (n,) confidences, None for no image."""
    bins = np.minimum((confidences * BINS).astype(np.int64), BINS - 1)
    sure = np.bincount(bins, confidences, BINS)
    hits = np.bincount(bins, right, BINS)
    return mean(np.abs(sure - hits).sum(keepdims=True) / len(bins)) if len(bins) else None
