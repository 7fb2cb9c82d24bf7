"""COCO's metrics of detection and instance segmentation, by faster-coco-eval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.faster_eval_api_cpp import COCOevalAccumulate
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.evaluation.scorer import ByClass, Metrics
from pseudolabel.formats.shards import read_shard, write_shard

_COCO_NAMES = {
    "mAP": "AP_all",
    "mAP_50": "AP_50",
    "mAP_75": "AP_75",
    "mAP_small": "AP_small",
    "mAP_medium": "AP_medium",
    "mAP_large": "AP_large",
}
"""The name of each metric in faster-coco-eval."""

_IOU_THRESHOLDS = {"mAP": slice(None), "mAP_50": slice(0, 1), "mAP_75": slice(5, 6)}
"""The IoU thresholds of each metric, as a slice of COCO's ten thresholds 0.50 to 0.95."""


class BoxScorer:
    """Average precision of boxes, as COCO defines it.

    It is the mean over 101 recall points and IoU 0.50 to 0.95 (Lin et al. 2014). Crowds are neither
    hits nor misses. A metric is None if the split has no objects for it.

    Args:
        truth: the split's gold.
        max_boxes: number of predictions per image and class that count, the best ones.
        main: the metric that rounds are compared by: mAP, mAP_50 or mAP_75.
    """

    kind = "bbox"

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
        return self._average_precision(self.kind)

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the (d,) main metric of (d, n) draws of images; NaN if a draw has no objects.

        COCO's evaluation has two steps. `evaluate` matches predictions with gold, image by image;
        this takes most of the time. `accumulate` computes the average precision from the matches.
        A draw only changes how often each image counts. So images are matched once here, and only
        the second step is repeated for each draw.

        faster-coco-eval has no public function for this. If `separate_eval` is set, `evaluate`
        leaves its matches in the private list `_evalImgs_cpp`. The list has one entry per class and
        image: entry c * n + i belongs to class c and to image i of n, in order of their ids.
        `COCOevalAccumulate` takes such a list. For a draw, each class gets the entries of the drawn
        images, and an image that was drawn twice occurs twice. tests/evaluation/test_bootstrap.py
        compares the result with a new evaluation of each draw.
        """
        evaluation = self._evaluation(self.kind)
        settings = evaluation.params
        settings.areaRng, settings.areaRngLbl = settings.areaRng[:1], settings.areaRngLbl[:1]
        settings.maxDets = [self.max_boxes]
        settings.iouThrs = settings.iouThrs[_IOU_THRESHOLDS[self.main]]
        evaluation.separate_eval = True
        evaluation.evaluate()
        matches = evaluation._evalImgs_cpp  # noqa: SLF001 - the matches have no public name
        count, classes = len(settings.imgIds), range(len(settings.catIds))
        order = np.searchsorted(settings.imgIds, self.truth.images.ids)
        scores = np.empty(len(draws))
        progress = tqdm(order[draws], desc="redraw", unit="draw", mininterval=2)
        for number, draw in enumerate(progress):
            drawn = [matches[index * count + row] for index in classes for row in draw.tolist()]
            precision = COCOevalAccumulate(settings, drawn)["precision"]
            value = _mean_precision(np.asarray(precision))
            scores[number] = np.nan if value is None else value
        return scores

    def write(self, path: Path) -> None:
        """Write all predictions added as a shard of predictions (Parquet)."""
        write_shard(path, self.predictions)

    def read(self, path: Path) -> None:
        """Add the predictions that another scorer of the same split wrote."""
        self.add(read_shard(path))

    def _evaluation(self, kind: str) -> COCOeval_faster:
        """Return the evaluation of all predictions, before its first step."""
        truth = self.truth
        evaluation = COCOeval_faster(_coco_truth(truth), None, kind, print_function=_print_nothing)
        rows = _coco_results(truth, self.predictions)
        evaluation.cocoDt = (
            evaluation.cocoGt.loadRes(rows) if rows else COCO(_without_labels(truth))
        )
        return evaluation

    def _average_precision(self, kind: str) -> tuple[Metrics, ByClass]:
        """Return the overall metrics and the AP of each class, for `bbox` or `segm`."""
        evaluation = self._evaluation(kind)
        evaluation.params.maxDets = [1, min(10, self.max_boxes), self.max_boxes]
        evaluation.run()
        stats = evaluation.stats_as_dict
        overall = {name: _metric(stats[key]) for name, key in _COCO_NAMES.items()}
        # precision has the axes IoU threshold, recall, class by id, area range, largest count.
        precision = evaluation.eval["precision"][:, :, :, 0, -1]
        categories = sorted(self.truth.categories, key=lambda category: category.id)
        by_class = {
            category.name: _mean_precision(precision[:, :, index])
            for index, category in enumerate(categories)
        }
        return overall, {"AP": by_class}


class MaskScorer(BoxScorer):
    """Average precision of masks, and of their boxes as `box_mAP`, `box_mAP_50`, `box_mAP_75`."""

    kind = "segm"

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the overall metrics, and the AP of each class's masks."""
        overall, by_class = self._average_precision(self.kind)
        boxes, _ = self._average_precision("bbox")
        return overall | {f"box_{name}": boxes[name] for name in _IOU_THRESHOLDS}, by_class


def _print_nothing(*_: object) -> None:
    """Take the place of `print`."""


def _metric(value: float) -> float | None:
    """Return a metric to six places; None for -1, COCO's value for a metric without objects."""
    return round(float(value), 6) if value >= 0 else None


def _mean_precision(precision: np.ndarray[Any, Any]) -> float | None:
    """Return the mean over IoU thresholds and recall points; None if there are no objects."""
    defined = precision[precision > -1]
    return _metric(defined.mean()) if defined.size else None


def _coco_truth(truth: Dataset) -> COCO:
    """Return gold as the COCO object that the evaluation takes.

    The annotations are counted from 1, whatever ids they have in their file. The evaluation writes
    0 for "no match", so that an object with the id 0 could never be found.
    """
    boxes = _boxes_xywh(truth.annotations)
    columns = {
        "id": list(range(1, len(truth.annotations) + 1)),
        "image_id": truth.annotations.image_ids.tolist(),
        "category_id": truth.annotations.category_ids.tolist(),
        "bbox": boxes.tolist(),
        "area": truth.annotations.areas.tolist(),
        "iscrowd": truth.annotations.crowds.astype(int).tolist(),
    } | _segmentations(truth, truth.annotations)
    return COCO(_without_labels(truth) | {"annotations": _as_rows(columns)})


def _as_rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return columns of equal length as one dict per row."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _without_labels(truth: Dataset) -> dict[str, Any]:
    """Return the images and categories of a split as COCO, without annotations."""
    columns = {
        "id": truth.images.ids.tolist(),
        "width": truth.images.widths.tolist(),
        "height": truth.images.heights.tolist(),
    }
    return {
        "images": _as_rows(columns),
        "categories": [{"id": category.id, "name": category.name} for category in truth.categories],
        "annotations": [],
    }


def _segmentations(truth: Dataset, annotations: Annotations) -> dict[str, list[Any]]:
    """Return the column of masks; no column if the annotations have no masks."""
    if not all(annotations.masks):
        return {}
    sides = zip(truth.images.heights.tolist(), truth.images.widths.tolist(), strict=True)
    sizes = dict(zip(truth.images.ids.tolist(), map(list, sides), strict=True))
    columns = zip(annotations.image_ids.tolist(), annotations.masks, strict=True)
    rows = [{"size": sizes[image_id], "counts": mask.decode()} for image_id, mask in columns]
    return {"segmentation": rows}


def _coco_results(truth: Dataset, predictions: Annotations) -> list[dict[str, Any]]:
    """Return predictions as a list of COCO results."""
    columns = {
        "image_id": predictions.image_ids.tolist(),
        "category_id": predictions.category_ids.tolist(),
        "bbox": _boxes_xywh(predictions).tolist(),
        "score": predictions.scores.tolist(),
    } | _segmentations(truth, predictions)
    return _as_rows(columns)


def _boxes_xywh(annotations: Annotations) -> NDArray[np.float64]:
    """Return the (n, 4) boxes as x, y, width, height."""
    boxes = annotations.boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes
