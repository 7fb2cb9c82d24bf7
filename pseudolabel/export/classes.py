"""Exported fields of image classification."""

from __future__ import annotations

from pseudolabel.export.submission import (
    ExportOptions,
    ImagePrediction,
    Row,
    TaskFields,
    no_objects,
)


def _image_row(image: ImagePrediction, options: ExportOptions) -> Row:
    """Return the most probable class of an image, and the probabilities of all classes."""
    index = int(image.prediction.argmax())
    category = options.categories[index]
    return {
        "class": category.name,
        "class_id": category.id,
        "class_index": index,
        "score": round(float(image.prediction.max()), 4),
        "probabilities": " ".join(f"{value:.4f}" for value in image.prediction.tolist()),
    }


def _coco_results(image: ImagePrediction, options: ExportOptions) -> list[Row]:
    """Return the most probable class of an image."""
    row = _image_row(image, options)
    return [{"category_id": row["class_id"], "score": row["score"]}]


CLASS_FIELDS = TaskFields(
    "classes",
    ("class", "class_id", "class_index", "score", "probabilities"),
    (),
    _image_row,
    no_objects,
    _coco_results,
)
