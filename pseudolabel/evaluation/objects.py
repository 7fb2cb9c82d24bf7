"""COCO's metrics of detection and instance segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.evaluation.average_precision import DrawnPrecision, interpolated_precision
from pseudolabel.evaluation.object_matching import IOU_THRESHOLDS, Matches, match
from pseudolabel.evaluation.object_overlaps import Overlaps, box_overlaps, mask_overlaps
from pseudolabel.evaluation.scorer import ByClass, Metrics, mean_or_none
from pseudolabel.formats.shards import read_shard, write_shard

_THRESHOLDS = {"mAP": range(len(IOU_THRESHOLDS)), "mAP_50": range(1), "mAP_75": range(5, 6)}
"""The IoU thresholds of each metric, by number."""
_AREAS = ("mAP_small", "mAP_medium", "mAP_large")
"""The metrics of the area ranges after the first, which is all areas."""


class BoxScorer:
    """Average precision of boxes, as COCO defines it.

    It is the mean over 101 recall points and IoU 0.50 to 0.95 (Lin et al. 2014). Crowds are neither
    hits nor misses. A metric is None if the split has no objects for it.

    Args:
        truth: the split's gold.
        max_boxes: number of predictions per image and class that count, the best ones.
        main: the metric that rounds are compared by: mAP, mAP_50 or mAP_75.
    """

    def __init__(self, truth: Dataset, max_boxes: int, main: str = "mAP") -> None:
        self.truth, self.max_boxes, self.main = truth, max_boxes, main
        self.parts = [Annotations.empty()]

    def add(self, predictions: Annotations) -> None:
        """Add the predictions for some of the images."""
        self.parts.append(predictions)

    @property
    def predictions(self) -> Annotations:
        """All predictions added."""
        return Annotations.concatenate(self.parts)

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the overall metrics, and the AP of each class."""
        return self._average_precision(self._overlaps())

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the (d,) main metric of (d, n) draws of images; NaN if a draw has no objects.

        A draw only changes how often each image counts. So objects are matched once, which takes
        most of the time.
        """
        images, thresholds = self.truth.images.ids, _THRESHOLDS[self.main]
        by_id = np.argsort(np.argsort(images))
        drawn = DrawnPrecision(
            self._matches(self._overlaps()), len(images), len(self.truth.categories)
        )
        scores = np.empty(len(draws))
        for number, draw in enumerate(tqdm(draws, desc="redraw", unit="draw", mininterval=2)):
            value = mean_or_none(drawn.at(by_id[draw], thresholds))
            scores[number] = np.nan if value is None else value
        return scores

    def write(self, path: Path) -> None:
        """Write all predictions added as a shard of predictions (Parquet)."""
        write_shard(path, self.predictions)

    def read(self, path: Path) -> None:
        """Add the predictions that another scorer of the same split wrote."""
        self.add(read_shard(path))

    def _overlaps(self) -> Overlaps:
        """Return the function that computes the IoU of objects."""
        return box_overlaps

    def _matches(self, overlaps: Overlaps) -> Matches:
        return match(self.truth, self.predictions, self.max_boxes, overlaps)

    def _average_precision(self, overlaps: Overlaps) -> tuple[Metrics, ByClass]:
        """Return the overall metrics and the AP of each class, for boxes or masks."""
        categories = sorted(self.truth.categories, key=lambda category: category.id)
        # The axes are IoU threshold, recall, class by id, area range.
        precision = interpolated_precision(self._matches(overlaps), len(categories))
        every_area = precision[..., 0]
        overall = {name: mean_or_none(every_area[rows]) for name, rows in _THRESHOLDS.items()}
        for area, name in enumerate(_AREAS, start=1):
            overall[name] = mean_or_none(precision[..., area])
        by_class = {
            category.name: mean_or_none(every_area[..., index])
            for index, category in enumerate(categories)
        }
        return overall, {"AP": by_class}


class MaskScorer(BoxScorer):
    """Average precision of masks, and of their boxes as `box_mAP`, `box_mAP_50`, `box_mAP_75`."""

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the overall metrics, and the AP of each class's masks."""
        overall, by_class = super().result()
        boxes, _ = self._average_precision(box_overlaps)
        return overall | {f"box_{name}": boxes[name] for name in _THRESHOLDS}, by_class

    def _overlaps(self) -> Overlaps:
        return mask_overlaps(self.truth)
