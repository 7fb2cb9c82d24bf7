"""COCO's detection metrics, by faster-coco-eval."""

from __future__ import annotations

from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from pseudolabel.records import Annotations, Dataset

Metrics = dict[str, float | None]

OVERALL = {
    "mAP": "AP_all",
    "mAP_50": "AP_50",
    "mAP_75": "AP_75",
    "mAP_small": "AP_small",
    "mAP_medium": "AP_medium",
    "mAP_large": "AP_large",
}


def detection_metrics(
    truth: Dataset, predictions: Annotations, max_boxes: int
) -> tuple[Metrics, Metrics]:
    """Return the overall metrics and the AP of each class, as COCO defines them.

    Average precision over 101 recall points and IoU 0.50 to 0.95 (Lin et al. 2014); crowds are
    neither hits nor misses. A value is None where the split has nothing to measure it on.

    Args:
        truth: the split's gold.
        predictions: all predictions on the split's images.
        max_boxes: the best predictions of an image and class that count.
    """
    evaluation = COCOeval_faster(coco_truth(truth), None, "bbox", print_function=silent)
    rows = coco_results(predictions)
    evaluation.cocoDt = evaluation.cocoGt.loadRes(rows) if rows else COCO(no_results(truth))
    evaluation.params.maxDets = [1, min(10, max_boxes), max_boxes]
    evaluation.run()
    stats = evaluation.stats_as_dict
    overall = {name: number(stats[key]) for name, key in OVERALL.items()}
    # precision has the axes IoU threshold, recall, class, area range, largest count.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    by_class = {
        category.name: mean_of(precision[:, :, index])
        for index, category in enumerate(truth.categories)
    }
    return overall, by_class


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
    }
    return COCO(no_results(truth) | {"annotations": rows_of(columns)})


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return columns of equal length as one dict a row."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def no_results(truth: Dataset) -> dict[str, Any]:
    """Return the images and categories of a split as COCO, without annotations."""
    return {
        "images": [{"id": image_id} for image_id in truth.images.ids.tolist()],
        "categories": [{"id": it.id, "name": it.name} for it in truth.categories],
        "annotations": [],
    }


def coco_results(predictions: Annotations) -> list[dict[str, Any]]:
    """Return predictions as a list of COCO results."""
    columns = {
        "image_id": predictions.image_ids.tolist(),
        "category_id": predictions.category_ids.tolist(),
        "bbox": xywh(predictions).tolist(),
        "score": predictions.scores.tolist(),
    }
    return rows_of(columns)


def xywh(annotations: Annotations) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the (n, 4) boxes as x, y, width, height."""
    boxes = annotations.boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes
