"""Writing predictions as COCO results, and as a CSV with columns that the user chooses."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np

from pseudolabel.core.errors import ParamsError
from pseudolabel.core.files import written_aside
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.records import Annotations, Category
from pseudolabel.core.tasks import Kind
from pseudolabel.formats.coco_writer import write_rows
from pseudolabel.formats.prediction_store import read_predictions
from pseudolabel.formats.shards import Shard

_RESULTS, _SUBMISSION = "results.json", "submission.csv"
_COMMON_FIELDS = ("file", "stem", "image_id")
"""The fields that an image has in every task."""

Row = dict[str, Any]
"""Fields by name."""


@dataclass(frozen=True)
class ImagePrediction:
    """The predictions for one image.

    Attributes:
        image_id: its id.
        file_name: relative to its folder.
        size: height and width, pixels.
        prediction: its objects, best first; its (h, w) label map; or its (c,) probabilities.
    """

    image_id: int
    file_name: str
    size: tuple[int, int]
    prediction: Any


@dataclass(frozen=True)
class ExportOptions:
    """The classes and parameters that predictions are written with.

    Attributes:
        categories: the classes, in order of their ids.
        columns: the field of each column of the CSV.
        map_size: width and height to which class maps are resized; None keeps the image's size.
    """

    categories: tuple[Category, ...]
    columns: dict[str, str]
    map_size: tuple[int, int] | None


@dataclass(frozen=True)
class TaskFields:
    """The fields that predictions of a task can be exported with.

    Attributes:
        kind: the kind of labels.
        image_fields: names of the fields of an image.
        object_fields: names of the fields of an object.
        image_row: returns the fields of an image.
        object_rows: returns the fields of each object of an image, best first.
        coco_results: returns the COCO results of an image, without the image's id.
    """

    kind: Kind
    image_fields: tuple[str, ...]
    object_fields: tuple[str, ...]
    image_row: Callable[[ImagePrediction, ExportOptions], Row]
    object_rows: Callable[[ImagePrediction, ExportOptions], list[Row]]
    coco_results: Callable[[ImagePrediction, ExportOptions], list[Row]]


def no_objects(image: ImagePrediction, options: ExportOptions) -> list[Row]:  # noqa: ARG001 - TaskFields
    """Return no rows: the task has no objects."""
    return []


def check_columns(columns: dict[str, str], fields: TaskFields) -> None:
    """Raise if a column of the CSV names an unknown field.

    Raises:
        ParamsError: with the unknown columns, and all fields of the task.
    """
    known = [*_COMMON_FIELDS, *fields.image_fields, *fields.object_fields]
    unknown = [f"{name}: {field!r}" for name, field in columns.items() if field not in known]
    if unknown:
        raise ParamsError(
            f"export.columns: expected any of {', '.join(known)}, found {'; '.join(unknown)}"
        )


def image_predictions(kind: Kind, shard: Shard) -> Iterator[ImagePrediction]:
    """Yield the predictions for each readable image of a shard, in order.

    Raises:
        DataError: a file is missing or was not written by this project.
    """
    images = shard.images
    rows = {image_id: row for row, image_id in enumerate(images.ids.tolist())}
    for batch in read_predictions(kind, shard):
        for image_id, prediction in _by_image(batch, shard):
            row = rows[image_id]
            size = int(images.heights[row]), int(images.widths[row])
            yield ImagePrediction(image_id, str(images.file_names[row]), size, prediction)


def _by_image(batch: object, shard: Shard) -> Iterable[tuple[int, Any]]:
    if isinstance(batch, Annotations):
        best_first = batch[np.argsort(-batch.scores, kind="stable")]
        ids = shard.images.ids
        return zip(ids.tolist(), best_first.by_image(ids), strict=True)
    if isinstance(batch, Probabilities):
        return zip(batch.image_ids.tolist(), batch.values, strict=True)
    maps = cast(LabelMaps, batch)
    return zip(maps.image_ids.tolist(), maps.labels, strict=True)


def write_submission(
    shards: Iterable[Shard], fields: TaskFields, options: ExportOptions, output: Path
) -> None:
    """Write results.json and submission.csv, shard by shard.

    The CSV has one row per object if a column has a field of objects, otherwise one per image.

    Args:
        shards: the predictions.
        fields: the fields of the task.
        options: the columns, classes and size of maps.
        output: the folder to write to.
    """
    per_object = any(field in fields.object_fields for field in options.columns.values())
    with (
        written_aside(output / _RESULTS) as results,
        written_aside(output / _SUBMISSION) as submission,
        results.open("wb") as json_stream,
        submission.open("w", newline="", encoding="utf-8") as csv_stream,
    ):
        writer = csv.writer(csv_stream, lineterminator="\n")
        writer.writerow(options.columns)

        def coco_rows() -> Iterator[Row]:
            for shard in shards:
                for image in image_predictions(fields.kind, shard):
                    writer.writerows(_csv_rows(image, fields, options, per_object=per_object))
                    for row in fields.coco_results(image, options):
                        yield {"image_id": image.image_id} | row

        json_stream.write(b"[\n")
        write_rows(json_stream, coco_rows())
        json_stream.write(b"\n]\n")


def _csv_rows(
    image: ImagePrediction, fields: TaskFields, options: ExportOptions, *, per_object: bool
) -> Iterator[list[Any]]:
    common = {
        "file": image.file_name,
        "stem": PurePosixPath(image.file_name).stem,
        "image_id": image.image_id,
    }
    if any(field in fields.image_fields for field in options.columns.values()):
        common |= fields.image_row(image, options)
    rows = fields.object_rows(image, options) if per_object else [{}]
    for row in rows:
        yield [(common | row)[field] for field in options.columns.values()]
