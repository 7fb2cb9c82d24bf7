"""Exported fields of semantic segmentation."""

from __future__ import annotations

import cv2
import numpy as np

from pseudolabel.core import masks
from pseudolabel.export.submission import (
    ExportOptions,
    ImagePrediction,
    Row,
    TaskFields,
    no_objects,
)
from pseudolabel.formats.label_maps import LabelMap


def _image_row(image: ImagePrediction, options: ExportOptions) -> Row:
    """Return the field of an image: the class index of each pixel, row by row, as one text."""
    labels: LabelMap = image.prediction
    if options.map_size is not None:
        labels = np.asarray(cv2.resize(labels, options.map_size, interpolation=cv2.INTER_NEAREST))
    return {"class_map": " ".join(map(str, labels.ravel().tolist()))}


def _coco_results(image: ImagePrediction, options: ExportOptions) -> list[Row]:
    """Return the COCO results of an image: one mask per class."""
    labels: LabelMap = image.prediction
    classes = np.unique(labels)
    counts = masks.encode(labels == classes[:, None, None])
    return [
        {
            "category_id": options.categories[index].id,
            "segmentation": {"size": list(labels.shape), "counts": mask.decode()},
        }
        for index, mask in zip(classes.tolist(), counts, strict=True)
    ]


PIXEL_FIELDS = TaskFields(
    "pixels",
    ("class_map",),
    (),
    _image_row,
    no_objects,
    _coco_results,
)
