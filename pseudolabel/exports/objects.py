"""Boxes and masks as COCO's results and as fields of a CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel import masks
from pseudolabel.exports.export import Export, Shot, Wanted
from pseudolabel.formats.tables import Shard, read_shard
from pseudolabel.records import Annotations, category_ids_of, positions


def read(_: Path, shard: Shard) -> Iterator[Shot]:
    """Yield the objects of each image of a shard, best first."""
    rows = read_shard(shard.path)
    rows = rows[np.lexsort((-rows.scores, rows.image_ids))]
    images = shard.images
    begins, ends = (np.searchsorted(rows.image_ids, images.ids, it) for it in ("left", "right"))
    for row, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        size = int(images.heights[row]), int(images.widths[row])
        yield Shot(int(images.ids[row]), str(images.file_names[row]), size, rows[begin:end])


def class_indices(shot: Shot, wanted: Wanted) -> list[int]:
    """Return the position of each object's class among the categories."""
    found: Annotations = shot.found
    return positions(found.category_ids, category_ids_of(wanted.categories)).tolist()


def class_names(shot: Shot, wanted: Wanted) -> list[str]:
    """Return the name of each object's class."""
    return [wanted.categories[it].name for it in class_indices(shot, wanted)]


def scores(shot: Shot, _: Wanted) -> list[float]:
    """Return the score of each object."""
    values: list[float] = shot.found.scores.astype(np.float64).round(4).tolist()
    return values


def corners(shot: Shot) -> list[list[float]]:
    """Return x1, y1, x2 and y2 of each object's box, to a hundredth of a pixel."""
    values: list[list[float]] = shot.found.boxes_xyxy.astype(np.float64).round(2).tolist()
    return values


def sides(shot: Shot) -> list[list[float]]:
    """Return the width and height of each object's box, to a hundredth of a pixel."""
    boxes = shot.found.boxes_xyxy.astype(np.float64)
    values: list[list[float]] = (boxes[:, 2:] - boxes[:, :2]).round(2).tolist()
    return values


def boxes_in_a_line(shot: Shot, wanted: Wanted) -> str:
    """Return class index, score and corners of all objects, with spaces between."""
    parts = zip(class_indices(shot, wanted), scores(shot, wanted), corners(shot), strict=True)
    return " ".join(f"{it} {score} {' '.join(map(str, box))}" for it, score, box in parts)


def starts_and_lengths(counts: bytes) -> str:
    """Return a mask as pairs of start, from 1, and length, column by column, as Kaggle has it."""
    pairs = []
    begin = 1
    for number, length in enumerate(masks.run_lengths(counts)):
        if number % 2 and length:
            pairs.append(f"{begin} {length}")
        begin += length
    return " ".join(pairs)


def results(shot: Shot, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield COCO's results of an image's objects."""
    found: Annotations = shot.found
    rows = zip(
        found.category_ids.tolist(),
        corners(shot),
        sides(shot),
        scores(shot, wanted),
        found.masks,
        strict=True,
    )
    for category_id, box, side, score, mask in rows:
        row = {"category_id": category_id, "bbox": [*box[:2], *side], "score": score}
        if mask:
            row["segmentation"] = {"size": list(shot.size), "counts": mask.decode()}
        yield row


def together(shots: Sequence[Shot]) -> Annotations:
    """Return the objects of some images."""
    return Annotations.concatenate([Annotations.empty(), *(it.found for it in shots)])


def column_of(values: Sequence[Sequence[Any]], number: int) -> list[Any]:
    """Return one column of rows."""
    return [row[number] for row in values]


BOXES = Export(
    read=read,
    per_image={"boxes": boxes_in_a_line},
    per_object={
        "class": class_names,
        "class_id": lambda shot, _: shot.found.category_ids.tolist(),
        "class_index": class_indices,
        "score": scores,
        "x1": lambda shot, _: column_of(corners(shot), 0),
        "y1": lambda shot, _: column_of(corners(shot), 1),
        "x2": lambda shot, _: column_of(corners(shot), 2),
        "y2": lambda shot, _: column_of(corners(shot), 3),
        "width": lambda shot, _: column_of(sides(shot), 0),
        "height": lambda shot, _: column_of(sides(shot), 1),
    },
    results=results,
    together=together,
)

MASKS = Export(
    read=read,
    per_image=BOXES.per_image,
    per_object={
        **BOXES.per_object,
        "rle": lambda shot, _: [mask.decode() for mask in shot.found.masks],
        "starts_and_lengths": lambda shot, _: [starts_and_lengths(it) for it in shot.found.masks],
        "area": lambda shot, _: shot.found.areas.astype(int).tolist(),
    },
    results=results,
    together=together,
)
