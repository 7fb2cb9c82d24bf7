"""The objects of a split in columns, from which the entry of one image is made when it is needed.

mmdet's CocoDataset keeps a Python dict per object while it loads: benchmarks/training_set.py
measures both. The columns are never written to, so loader workers share them after a fork.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.formats.coco_columns import (
    CATEGORY_SCHEMA,
    IMAGE_SCHEMA,
    boxes_xywh,
    numbers,
)
from pseudolabel.formats.coco_lines import OtherLayoutError, read_lines

_SCHEMAS = {
    "categories": CATEGORY_SCHEMA,
    "images": IMAGE_SCHEMA,
    "annotations": pa.schema(
        [
            ("image_id", pa.int64()),
            ("category_id", pa.int64()),
            ("bbox", pa.list_(pa.float64())),
            ("area", pa.float64()),
            ("iscrowd", pa.int64()),
            ("score", pa.float64()),
            ("segmentation", pa.struct([("counts", pa.large_string())])),
        ]
    ),
}
_COLUMNS = ("rows", "boxes_xyxy", "labels", "crowds", "scores", "masks")


@dataclass(frozen=True)
class ObjectTable:
    """The images of a split in the order of its file, with their objects.

    Attributes:
        images: the columns of the images, as in the file.
        bounds: (n + 1,) the objects of image i are in the rows from bounds[i] to bounds[i + 1].
        boxes_xyxy: (m, 4) float64, pixels, as in the file.
        labels: (m,) index of the class.
        crowds: (m,) COCO's iscrowd.
        scores: (m,) 1 for gold.
        masks: (m,) compressed run lengths as texts, null for an object without a mask; None if no
            object has one.
    """

    images: pa.Table
    bounds: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float64]
    labels: NDArray[np.int32]
    crowds: NDArray[np.int8]
    scores: NDArray[np.float32]
    masks: pa.LargeStringArray | None

    def image(self, row: int) -> dict[str, Any]:
        """Return an image as in the file."""
        return {name: self.images.column(name)[row].as_py() for name in IMAGE_SCHEMA.names}

    def labels_of(self, row: int) -> list[int]:
        """Return the class of each object of an image."""
        found: list[int] = self.labels[self._rows(row)].tolist()
        return found

    def scores_of(self, row: int) -> NDArray[np.float32]:
        """Return the score of each object of an image."""
        return self.scores[self._rows(row)]

    def instances_of(self, row: int) -> list[dict[str, Any]]:
        """Return the objects of an image as mmdet's transforms take them."""
        rows = self._rows(row)
        columns = (column[rows].tolist() for column in (self.crowds, self.boxes_xyxy, self.labels))
        instances = [
            {"ignore_flag": crowd, "bbox": box, "bbox_label": label}
            for crowd, box, label in zip(*columns, strict=True)
        ]
        if self.masks is not None:
            size = [self.images.column(name)[row].as_py() for name in ("height", "width")]
            for instance, counts in zip(instances, self.masks[rows].to_pylist(), strict=True):
                if counts:
                    instance["mask"] = {"size": size, "counts": counts}
        return instances

    def _rows(self, row: int) -> slice:
        return slice(int(self.bounds[row]), int(self.bounds[row + 1]))


def read_objects(path: Path, class_names: Sequence[str]) -> ObjectTable:
    """Return the objects of a COCO file that this project wrote.

    Objects are left out as in mmdet's CocoDataset: those without an area, outside their image, or
    narrower or lower than a pixel.

    Args:
        path: the file.
        class_names: the names of the classes to read.

    Raises:
        DataError: the file is missing, or has another layout.
    """
    try:
        return _read(path, path.stat().st_mtime_ns, tuple(class_names))
    except (OSError, OtherLayoutError) as error:
        expected = "a COCO file with one object per line, as prepare and merge write it"
        raise DataError([Fault(str(path), "", expected, str(error))]) from error


# Gold and silver: the check of the augmentations and the training read the same files.
@lru_cache(maxsize=2)
def _read(path: Path, _changed: int, class_names: tuple[str, ...]) -> ObjectTable:
    """Return the objects of a file that was last changed at some time."""
    parts: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for name, table in read_lines(path, _SCHEMAS):
        if name == "categories":
            rows = table.to_pylist()
            ids = np.array([row["id"] for row in rows if row["name"] in class_names], np.int64)
        elif name == "images":
            images = table.combine_chunks()
        else:
            for column, values in zip(_COLUMNS, _parse(table, images, ids), strict=True):
                parts[column].append(values)
    return _by_image(images, parts)


def _parse(table: pa.Table, images: pa.Table, category_ids: NDArray[np.int64]) -> tuple[Any, ...]:
    """Return the columns of the objects that count, with the row of each one's image."""
    image_ids = numbers(images, "id")
    order = np.argsort(image_ids, kind="stable")
    places = np.searchsorted(image_ids, numbers(table, "image_id"), sorter=order)
    rows = order[np.minimum(places, len(order) - 1)]
    classes, areas = numbers(table, "category_id"), numbers(table, "area")
    begins, sides = np.split(boxes_xywh(table), 2, axis=1)
    boxes = np.concatenate([begins, begins + sides], axis=1)
    limits = np.stack([numbers(images, "width")[rows], numbers(images, "height")[rows]], axis=1)
    inside = np.minimum(boxes[:, 2:], limits) - np.maximum(begins, 0)
    kept = (inside > 0).all(axis=1) & (areas > 0) & (sides >= 1).all(axis=1)
    kept &= np.isin(classes, category_ids) & (image_ids[rows] == numbers(table, "image_id"))
    by_id = np.argsort(category_ids)
    labels = by_id[np.searchsorted(category_ids, classes[kept], sorter=by_id)]
    crowds = numbers(table, "iscrowd", 0)[kept].astype(np.int8)
    scores = numbers(table, "score", 1.0)[kept].astype(np.float32)
    masks = pc.struct_field(table.column("segmentation"), "counts").filter(pa.array(kept)).chunks
    return rows[kept].astype(np.int32), boxes[kept], labels.astype(np.int32), crowds, scores, masks


def _by_image(images: pa.Table, parts: dict[str, list[Any]]) -> ObjectTable:
    """Return the parts as one table, sorted by image; parts that are used are taken from memory."""
    chunks = [chunk for part in parts.pop("masks") for chunk in part]
    masks = pa.chunked_array(chunks, pa.large_string())
    rows = np.concatenate(parts.pop("rows"))
    columns = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
    if (rows[1:] < rows[:-1]).any():
        order = np.argsort(rows, kind="stable")
        rows, masks = rows[order], masks.take(pa.array(order))
        columns = {name: column[order] for name, column in columns.items()}
    return ObjectTable(
        images,
        np.searchsorted(rows, np.arange(len(images) + 1)),
        **columns,
        masks=None if masks.null_count == len(masks) else masks.combine_chunks(),
    )
