"""Writing COCO files with stable bytes and the source of every annotation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson

from pseudolabel.core.files import written_aside
from pseudolabel.core.records import (
    GOLD_ROUND,
    REVIEW,
    REVIEW_ROUND,
    Annotations,
    Dataset,
    Images,
)
from pseudolabel.formats.coco_annotations import Record

_ROWS_PER_CHUNK = 100_000
"""Number of rows per chunk: a limit of memory that does not change the file."""


def write_coco(path: Path, dataset: Dataset, teachers: Mapping[int, str] | None = None) -> None:
    """Write a data set as a COCO file, atomically.

    Every annotation has a `source`; silver also has `round`, `score` and `teacher`.

    Args:
        path: the file to write.
        dataset: images and annotations, written in their order.
        teachers: hash of the weights that predicted, by round; needed for silver only.
    """
    write_coco_parts(path, dataset, [dataset.annotations], teachers or {})


def write_coco_parts(
    path: Path, dataset: Dataset, parts: Iterable[Annotations], teachers: Mapping[int, str]
) -> None:
    """Write a COCO file whose annotations are given part by part, atomically.

    Args:
        path: the file to write.
        dataset: images and categories; its annotations are ignored.
        parts: the annotations.
        teachers: hash of the weights that predicted, by round.
    """
    sides = zip(dataset.images.heights.tolist(), dataset.images.widths.tolist(), strict=True)
    sizes = dict(zip(dataset.images.ids.tolist(), sides, strict=True))
    rows = (row for part in parts for row in _annotation_rows(part, teachers, sizes))
    with written_aside(path) as aside, aside.open("wb") as stream:
        stream.write(b'{"categories": [\n')
        write_rows(stream, ({"id": row.id, "name": row.name} for row in dataset.categories))
        stream.write(b'\n],\n"images": [\n')
        write_rows(stream, _image_rows(dataset.images))
        stream.write(b'\n],\n"annotations": [\n')
        write_rows(stream, rows)
        stream.write(b"\n]}\n")


def write_rows(stream: BinaryIO, rows: Iterable[Record]) -> None:
    """Write the items of a JSON list, one object per line."""
    separator = b""
    for row in rows:
        stream.write(separator + orjson.dumps(row))
        separator = b",\n"


def _image_rows(images: Images) -> Iterator[Record]:
    """Yield the images as COCO objects."""
    columns = (images.ids.tolist(), images.file_names, images.widths, images.heights, images.hashes)
    for image_id, file_name, width, height, digest in zip(*columns, strict=True):
        row = {"id": image_id, "file_name": file_name, "width": int(width), "height": int(height)}
        yield row | ({"hash": digest} if digest else {})


def _annotation_rows(
    annotations: Annotations,
    teachers: Mapping[int, str],
    sizes: Mapping[int, tuple[int, int]],
) -> Iterator[Record]:
    """Yield the annotations as COCO objects, without the fields that have no value.

    Boxes and areas are rounded to a hundredth of a pixel.

    Args:
        annotations: the rows.
        teachers: hash of the weights that predicted, by round.
        sizes: height and width of each image.
    """
    for begin in range(0, len(annotations), _ROWS_PER_CHUNK):
        part = annotations[begin : begin + _ROWS_PER_CHUNK]
        boxes = part.boxes_xyxy.astype(np.float64)
        boxes[:, 2:] -= boxes[:, :2]
        columns = (
            part.ids.tolist(),
            part.image_ids.tolist(),
            part.category_ids.tolist(),
            boxes.round(2).tolist(),
            part.areas.astype(np.float64).round(2).tolist(),
            part.crowds.astype(int).tolist(),
            part.scores.astype(np.float64).round(4).tolist(),
            part.rounds.tolist(),
            part.masks.tolist(),
        )
        for row_id, image_id, category_id, box, area, crowd, score, number, mask in zip(
            *columns, strict=True
        ):
            row: Record = {"id": row_id, "image_id": image_id, "category_id": category_id}
            if box[0] == box[0]:
                row |= {"bbox": box, "iscrowd": crowd}
            if area == area:  # noqa: PLR0124
                row["area"] = area
            if mask:
                row["segmentation"] = {"size": sizes[image_id], "counts": mask.decode()}
            if number == GOLD_ROUND:
                row["source"] = "gold"
            elif number == REVIEW_ROUND:
                row["source"] = REVIEW
            else:
                row |= {"source": "silver", "round": number, "score": score}
                row["teacher"] = teachers[number]
            yield row
