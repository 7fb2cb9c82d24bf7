"""COCO's metrics of detection and instance segmentation, by faster-coco-eval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.faster_eval_api_cpp import COCOevalAccumulate
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.formats import tables
from pseudolabel.metrics.scorer import ByClass, Metrics
from pseudolabel.records import Annotations, Dataset

OVERALL = {
    "mAP": "AP_all",
    "mAP_50": "AP_50",
    "mAP_75": "AP_75",
    "mAP_small": "AP_small",
    "mAP_medium": "AP_medium",
    "mAP_large": "AP_large",
}

IOU_THRESHOLDS = {"mAP": slice(None), "mAP_50": slice(0, 1), "mAP_75": slice(5, 6)}
"""Which of COCO's ten, 0.50 to 0.95, a metric is the mean over."""


class BoxScorer:
    """Average precision of boxes, as COCO defines it.

    The mean over 101 recall points and IoU 0.50 to 0.95 (Lin et al. 2014); crowds are neither hits
    nor misses. A value is None where the split has nothing to measure it on.

    Args:
        truth: the split's gold.
        max_boxes: the best predictions of an image and class that count.
        main: the metric that rounds win by, one of IOU_THRESHOLDS.
    """

    kind = "bbox"

    def __init__(self, truth: Dataset, max_boxes: int, main: str = "mAP") -> None:
        self.truth, self.max_boxes, self.main = truth, max_boxes, main
        self.found = [Annotations.empty()]

    def add(self, found: Annotations) -> None:
        """Count the predictions for some of the images."""
        self.found.append(found)

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the overall metrics, and the AP of each class."""
        return self.average_precision(self.kind)

    def resampled(self, draws: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the main metric of each of (d, n) draws of images, matched with gold once."""
        evaluation = self.evaluation(self.kind)
        settings = evaluation.params
        settings.areaRng, settings.areaRngLbl = settings.areaRng[:1], settings.areaRngLbl[:1]
        settings.maxDets = [self.max_boxes]
        settings.iouThrs = settings.iouThrs[IOU_THRESHOLDS[self.main]]
        evaluation.separate_eval = True
        evaluation.evaluate()
        # One matched image after the other, class by class, in the order of the images' ids.
        matched = evaluation._evalImgs_cpp  # noqa: SLF001 - the matches have no public name
        count, classes = len(settings.imgIds), range(len(settings.catIds))
        order = np.searchsorted(settings.imgIds, self.truth.images.ids)
        scores = np.empty(len(draws))
        bar = tqdm(order[draws], desc="redraw", unit="draw", mininterval=2)
        for number, draw in enumerate(bar):
            again = [matched[it * count + row] for it in classes for row in draw.tolist()]
            precision = COCOevalAccumulate(settings, again)["precision"]
            value = mean_of(np.asarray(precision))
            scores[number] = np.nan if value is None else value
        return scores

    def write(self, path: Path) -> None:
        """Write all that was added as a shard of predictions."""
        tables.write_shard(path, Annotations.concatenate(self.found))

    def read(self, path: Path) -> None:
        """Count what another scorer of the same split wrote."""
        self.add(tables.read_shard(path))

    def evaluation(self, kind: str) -> COCOeval_faster:
        """Return the evaluation of all that was added, ready to run."""
        truth, found = self.truth, Annotations.concatenate(self.found)
        evaluation = COCOeval_faster(coco_truth(truth), None, kind, print_function=silent)
        rows = coco_results(truth, found)
        evaluation.cocoDt = evaluation.cocoGt.loadRes(rows) if rows else COCO(no_results(truth))
        return evaluation

    def average_precision(self, kind: str) -> tuple[Metrics, ByClass]:
        """Return the overall metrics and the AP of each class, for `bbox` or `segm`."""
        evaluation = self.evaluation(kind)
        evaluation.params.maxDets = [1, min(10, self.max_boxes), self.max_boxes]
        evaluation.run()
        stats = evaluation.stats_as_dict
        overall = {name: number(stats[key]) for name, key in OVERALL.items()}
        # precision has the axes IoU threshold, recall, class, area range, largest count.
        precision = evaluation.eval["precision"][:, :, :, 0, -1]
        by_class = {
            category.name: mean_of(precision[:, :, index])
            for index, category in enumerate(self.truth.categories)
        }
        return overall, {"AP": by_class}


class MaskScorer(BoxScorer):
    """Average precision of masks, and that of their boxes as `box_mAP` and so on."""

    kind = "segm"

    def result(self) -> tuple[Metrics, ByClass]:
        """Return the overall metrics, and the AP of each class's masks."""
        overall, by_class = self.average_precision(self.kind)
        boxes, _ = self.average_precision("bbox")
        headline = ("mAP", "mAP_50", "mAP_75")
        return overall | {f"box_{name}": boxes[name] for name in headline}, by_class


def silent(*_: object) -> None:
    """Print nothing."""


def number(value: float) -> float | None:
    """Return a metric to six places, None for COCO's -1 (nothing to measure)."""
    return round(float(value), 6) if value >= 0 else None


def mean_of(precision: np.ndarray[Any, Any]) -> float | None:
    """Return the mean precision over IoU thresholds and recalls, None where there is none."""
    measured = precision[precision > -1]
    return number(measured.mean()) if measured.size else None


def coco_truth(truth: Dataset) -> COCO:
    """Return gold in the form that the evaluation wants."""
    boxes = xywh(truth.annotations)
    columns = {
        "id": truth.annotations.ids.tolist(),
        "image_id": truth.annotations.image_ids.tolist(),
        "category_id": truth.annotations.category_ids.tolist(),
        "bbox": boxes.tolist(),
        "area": truth.annotations.areas.tolist(),
        "iscrowd": truth.annotations.crowds.astype(int).tolist(),
    } | segmentations(truth, truth.annotations)
    return COCO(no_results(truth) | {"annotations": rows_of(columns)})


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return columns of equal length as one dict a row."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def no_results(truth: Dataset) -> dict[str, Any]:
    """Return the images and categories of a split as COCO, without annotations."""
    columns = {
        "id": truth.images.ids.tolist(),
        "width": truth.images.widths.tolist(),
        "height": truth.images.heights.tolist(),
    }
    return {
        "images": rows_of(columns),
        "categories": [{"id": it.id, "name": it.name} for it in truth.categories],
        "annotations": [],
    }


def segmentations(truth: Dataset, annotations: Annotations) -> dict[str, list[Any]]:
    """Return the column of masks, none where the annotations have none."""
    if not all(annotations.masks):
        return {}
    sides = zip(truth.images.heights.tolist(), truth.images.widths.tolist(), strict=True)
    sizes = dict(zip(truth.images.ids.tolist(), map(list, sides), strict=True))
    columns = zip(annotations.image_ids.tolist(), annotations.masks, strict=True)
    rows = [{"size": sizes[image_id], "counts": mask.decode()} for image_id, mask in columns]
    return {"segmentation": rows}


def coco_results(truth: Dataset, predictions: Annotations) -> list[dict[str, Any]]:
    """Return predictions as a list of COCO results."""
    columns = {
        "image_id": predictions.image_ids.tolist(),
        "category_id": predictions.category_ids.tolist(),
        "bbox": xywh(predictions).tolist(),
        "score": predictions.scores.tolist(),
    } | segmentations(truth, predictions)
    return rows_of(columns)


def xywh(annotations: Annotations) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the (n, 4) boxes as x, y, width, height."""
    boxes = annotations.boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes
