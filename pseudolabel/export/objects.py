"""Exported fields of object detection and instance segmentation."""

from __future__ import annotations

import numpy as np

from pseudolabel.core import masks
from pseudolabel.core.records import Annotations
from pseudolabel.export.submission import ExportOptions, ImagePrediction, Row, TaskFields

_BOX_FIELDS = (
    *("class", "class_id", "class_index", "score"),
    *("x1", "y1", "x2", "y2", "width", "height"),
)
_MASK_FIELDS = ("rle", "starts_and_lengths", "area")


def _image_row(image: ImagePrediction, options: ExportOptions) -> Row:
    """Return the field of an image: class index, score and corners of all boxes, as one text."""
    parts = []
    for row in object_rows(image, options):
        corners = " ".join(str(row[name]) for name in ("x1", "y1", "x2", "y2"))
        parts.append(f"{row['class_index']} {row['score']} {corners}")
    return {"boxes": " ".join(parts)}


def object_rows(image: ImagePrediction, options: ExportOptions) -> list[Row]:
    """Return the fields of each object; boxes are rounded to 0.01 pixels."""
    objects: Annotations = image.prediction
    boxes = objects.boxes_xyxy.astype(np.float64)
    sides = (boxes[:, 2:] - boxes[:, :2]).round(2).tolist()
    scores = objects.scores.astype(np.float64).round(4).tolist()
    indices = objects.class_indices(options.categories).tolist()
    return [
        {
            "class": options.categories[index].name,
            "class_id": options.categories[index].id,
            "class_index": index,
            "score": score,
            **dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True)),
            "width": width,
            "height": height,
        }
        for index, score, corners, (width, height) in zip(
            indices, scores, boxes.round(2).tolist(), sides, strict=True
        )
    ]


def _mask_rows(image: ImagePrediction, options: ExportOptions) -> list[Row]:
    """Return the fields of each object and of its mask."""
    objects: Annotations = image.prediction
    wants_pairs = "starts_and_lengths" in options.columns.values()
    return [
        row
        | {
            "rle": mask.decode(),
            "starts_and_lengths": _starts_and_lengths(mask) if wants_pairs else "",
            "area": int(area),
        }
        for row, mask, area in zip(
            object_rows(image, options), objects.masks, objects.areas.tolist(), strict=True
        )
    ]


def _starts_and_lengths(counts: bytes) -> str:
    """Return a mask as pairs of start, from 1, and length, column by column: Kaggle's format."""
    pairs = []
    begin = 1
    for number, length in enumerate(masks.decode_run_lengths(counts)):
        if number % 2 and length:
            pairs.append(f"{begin} {length}")
        begin += length
    return " ".join(pairs)


def _coco_results(image: ImagePrediction, options: ExportOptions) -> list[Row]:
    """Return the COCO results of an image's objects."""
    results = []
    for row, mask in zip(object_rows(image, options), image.prediction.masks, strict=True):
        box = [row["x1"], row["y1"], row["width"], row["height"]]
        result: Row = {"category_id": row["class_id"], "bbox": box, "score": row["score"]}
        if mask:
            result["segmentation"] = {"size": list(image.size), "counts": mask.decode()}
        results.append(result)
    return results


BOX_FIELDS = TaskFields("objects", ("boxes",), _BOX_FIELDS, _image_row, object_rows, _coco_results)
MASK_FIELDS = TaskFields(
    "objects", ("boxes",), (*_BOX_FIELDS, *_MASK_FIELDS), _image_row, _mask_rows, _coco_results
)
