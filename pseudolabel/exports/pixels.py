"""Label maps as COCO's results and as fields of a CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pseudolabel import masks
from pseudolabel.exports.export import Export, Shot, Wanted
from pseudolabel.formats.label_maps import LabelMap, read_map
from pseudolabel.formats.prediction_maps import label_path
from pseudolabel.formats.tables import Shard, read_unreadable
from pseudolabel.records import LabelMaps


def read(predictions: Path, shard: Shard) -> Iterator[Shot]:
    """Yield the label map of each image of a shard that could be read."""
    images, unreadable = shard.images, set(read_unreadable(shard.path))
    for row, (image_id, name) in enumerate(
        zip(images.ids.tolist(), images.file_names, strict=True)
    ):
        if name not in unreadable:
            size = int(images.heights[row]), int(images.widths[row])
            yield Shot(image_id, str(name), size, read_map(label_path(predictions, image_id)))


def resized(shot: Shot, wanted: Wanted) -> LabelMap:
    """Return an image's map at the size asked for; each pixel takes the nearest one's class."""
    labels: LabelMap = shot.found
    if wanted.map_size is None:
        return labels
    return np.asarray(cv2.resize(labels, wanted.map_size, interpolation=cv2.INTER_NEAREST))


def class_map(shot: Shot, wanted: Wanted) -> str:
    """Return the class index of each pixel, row by row, with spaces between."""
    return " ".join(map(str, resized(shot, wanted).ravel().tolist()))


def results(shot: Shot, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield COCO's results of an image: a mask for each class that it shows."""
    classes = np.unique(shot.found)
    counts = masks.encode(shot.found == classes[:, None, None])
    for position, mask in zip(classes.tolist(), counts, strict=True):
        segmentation = {"size": list(shot.found.shape), "counts": mask.decode()}
        yield {"category_id": wanted.categories[position].id, "segmentation": segmentation}


def together(shots: Sequence[Shot]) -> LabelMaps:
    """Return the label maps of some images; how confident they are is not asked for."""
    ids, labels = np.array([it.image_id for it in shots], np.int64), [it.found for it in shots]
    return LabelMaps(ids, labels, labels)


PIXELS = Export(
    read=read,
    per_image={"class_map": class_map},
    per_object={},
    results=results,
    together=together,
)
