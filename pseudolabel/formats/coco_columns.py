"""Reading whole COCO files of this project as columns, without a Python object per label."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pseudolabel.core.columns import positions
from pseudolabel.core.records import (
    GOLD_ROUND,
    REVIEW,
    REVIEW_ROUND,
    Annotations,
    Category,
    Dataset,
    Images,
    category_ids_of,
)
from pseudolabel.formats.coco_annotations import LARGEST_ROUND, OVERHANG
from pseudolabel.formats.coco_lines import OtherLayoutError, read_lines
from pseudolabel.formats.coco_rows import parse_categories
from pseudolabel.formats.safe_names import describe_file_fault

CATEGORY_SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
IMAGE_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("file_name", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("hash", pa.string()),
    ]
)
_ANNOTATION_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("image_id", pa.int64()),
        ("category_id", pa.int64()),
        ("bbox", pa.list_(pa.float64())),
        ("area", pa.float64()),
        ("iscrowd", pa.int64()),
        ("score", pa.float64()),
        ("round", pa.int64()),
        ("source", pa.string()),
        ("segmentation", pa.struct([("counts", pa.string())])),
    ]
)
_SCHEMAS = {
    "categories": CATEGORY_SCHEMA,
    "images": IMAGE_SCHEMA,
    "annotations": _ANNOTATION_SCHEMA,
}
_PLAIN_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*$"
"""File names without anything that `describe_file_fault` could find."""


def read_columns(path: Path) -> Dataset | None:
    """Return the data set in a COCO file that this project wrote.

    The result is None if the file has another layout, masks, or a fault: `read_coco` then reads it
    object by object, and lists all faults.
    """
    categories: tuple[Category, ...] = ()
    images, parts = Images.empty(), [Annotations.empty()]
    try:
        for name, table in read_lines(path, _SCHEMAS):
            if name == "categories":
                categories = _categories(table)
            elif name == "images":
                images = _images(table)
            else:
                parts.append(_annotations(table, images, categories))
        annotations = Annotations.concatenate(parts)
        _require(_are_unique(annotations.ids))
    except (OSError, OtherLayoutError):
        return None
    return Dataset(images, annotations, categories)


def read_image_columns(path: Path) -> Images | None:
    """Return the images in a COCO file that this project wrote, without reading its annotations.

    The result is None if the file has another layout, or an image has a fault.
    """
    try:
        # The file stays open for its annotations until the iterator is deleted.
        with closing(read_lines(path, _SCHEMAS)) as tables:
            return next(_images(table) for name, table in tables if name == "images")
    except (OSError, OtherLayoutError):
        return None


def count_crowds(path: Path) -> tuple[int, int] | None:
    """Return how many annotations a COCO file of this project has, and how many of them are crowds.

    The result is None if the file has another layout.
    """
    schemas = dict.fromkeys(_SCHEMAS, pa.schema([("iscrowd", pa.int64())]))
    total = crowds = 0
    try:
        for name, table in read_lines(path, schemas):
            if name == "annotations":
                total += len(table)
                crowds += int(np.count_nonzero(numbers(table, "iscrowd", 0)))
    except (OSError, OtherLayoutError):
        return None
    return total, crowds


def numbers(table: pa.Table, name: str, default: float | None = None) -> NDArray[Any]:
    """Return a column of numbers.

    Args:
        table: the table.
        name: the name of the column.
        default: the value of rows without one; None if all rows must have one.

    Raises:
        OtherLayoutError: a row has no value.
    """
    column = table.column(name)
    if column.null_count:
        _require(default is not None)
        column = pc.fill_null(column, default)
    values: NDArray[Any] = column.to_numpy()
    return values


def boxes_xywh(table: pa.Table) -> NDArray[np.float64]:
    """Return the (n, 4) column `bbox`; its values are NaN if no row has a box.

    Raises:
        OtherLayoutError: only some rows have a box, or a box does not have four numbers.
    """
    column = table.column("bbox").combine_chunks()
    if column.null_count == len(column):
        return np.full((len(column), 4), np.nan)
    _require(not column.null_count and bool(pc.all(pc.equal(pc.list_value_length(column), 4))))
    boxes: NDArray[np.float64] = column.flatten().to_numpy().reshape(-1, 4)
    return boxes


def _require(condition: bool | np.bool_) -> None:
    """Raise unless the file is as this project writes it."""
    if not condition:
        raise OtherLayoutError("another layout, or a fault")


def _are_unique(values: NDArray[Any]) -> bool:
    return len(np.unique(values)) == len(values)


def _categories(table: pa.Table) -> tuple[Category, ...]:
    faults: list[Any] = []
    categories = parse_categories(table.to_pylist(), "", faults)
    _require(not faults)
    return categories


def _images(table: pa.Table) -> Images:
    """Return the images of a table; raise if any has a fault."""
    ids, widths, heights = (numbers(table, name) for name in ("id", "width", "height"))
    names = table.column("file_name")
    _require(not names.null_count and pc.count_distinct(names).as_py() == len(names))
    plain = pc.match_substring_regex(names, _PLAIN_NAME)
    others = names.filter(pc.invert(plain)).to_pylist()
    _require(all(others) and not any(map(describe_file_fault, others)))
    for sides in (widths, heights):
        _require(((sides > 0) & (sides < 2**31)).all())
    _require((ids >= 0).all() and _are_unique(ids))
    hashes = pc.fill_null(table.column("hash"), "").to_pylist()
    columns = ids.tolist(), names.to_pylist(), widths.tolist(), heights.tolist()
    return Images.build(*columns, hashes)


def _annotations(table: pa.Table, images: Images, categories: tuple[Category, ...]) -> Annotations:
    """Return the annotations of a table; raise if any has a fault or a mask."""
    ids, image_ids, category_ids = (
        numbers(table, name) for name in ("id", "image_id", "category_id")
    )
    _require((ids >= 0).all() and np.isin(category_ids, category_ids_of(categories)).all())
    _require(np.isin(image_ids, images.ids).all())
    _require(table.column("segmentation").null_count == len(table))
    boxes = _clip(boxes_xywh(table), images, image_ids)
    areas, scores = numbers(table, "area", np.nan), numbers(table, "score", 1.0)
    rounds, crowds = numbers(table, "round", GOLD_ROUND), numbers(table, "iscrowd", 0)
    _require(np.isfinite(scores).all() and not np.isinf(areas).any())
    _require(((rounds >= 0) & (rounds <= LARGEST_ROUND)).all())
    _require(((crowds == 0) | (crowds == 1)).all())
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = np.where(np.isnan(areas), sides[:, 0] * sides[:, 1], areas)
    reviewed = pc.fill_null(pc.equal(table.column("source"), REVIEW), False).to_numpy()
    count = len(table)
    return Annotations(
        ids,
        image_ids,
        category_ids.astype(np.int32),
        boxes.astype(np.float32),
        areas.astype(np.float32),
        crowds.astype(bool),
        scores.astype(np.float32),
        np.where(reviewed, REVIEW_ROUND, rounds).astype(np.int16),
        np.full(count, b"", object),
        np.full(count, np.nan, np.float32),
    )


def _clip(
    boxes: NDArray[np.float64], images: Images, image_ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (n, 4) boxes as x1, y1, x2, y2, clipped to their images; raise if one is outside."""
    if np.isnan(boxes).all():
        return boxes
    rows = positions(image_ids, images.ids)
    limits = np.stack([images.widths[rows], images.heights[rows]], axis=1)
    begins, ends = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    _require(np.isfinite(boxes).all() and (boxes[:, 2:] > 0).all())
    _require((begins >= -OVERHANG).all() and (ends - limits <= OVERHANG).all())
    begins, ends = np.maximum(begins, 0), np.minimum(ends, limits)
    _require((begins < ends).all())
    return np.concatenate([begins, ends], axis=1)
