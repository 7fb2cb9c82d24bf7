"""COCO files, read with every fault told at once, written with stable bytes and provenance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np
import orjson

from pseudolabel.errors import DataError, Fault, shown
from pseudolabel.files import written_aside
from pseudolabel.formats.shapes import (
    Contract,
    Record,
    Sizes,
    is_id,
    parse_shape,
    wrong_columns,
)
from pseudolabel.records import GOLD_ROUND, Annotations, Category, Dataset, Images

FILE = "coco.json"
"""The COCO file in a split's folder of prepared or merged data."""
LARGEST_CATEGORY_ID = 2**31 - 1

ROWS_AT_ONCE = 100_000
"""Rows turned into JSON in one go: bounds the memory, not the file."""


def read_coco(path: Path) -> Dataset:
    """Return a COCO file as a dataset.

    Boxes become x1, y1, x2, y2, clipped to the image; a missing `area` is the box's, a missing
    `iscrowd` is 0, a missing `hash` empty. `score` and `round` are read where the file has them.

    Raises:
        DataError: the file breaks the contract; the error lists every fault.
    """
    dataset, faults = parse_coco(path, Contract.ANY)
    if faults:
        raise DataError(faults)
    return dataset


def parse_coco(path: Path, contract: Contract) -> tuple[Dataset, list[Fault]]:
    """Return what could be read of a COCO file, and every fault found in it."""
    name = path.name
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        return no_dataset(), [Fault(name, "", "a readable file", str(error.strerror))]
    except orjson.JSONDecodeError as error:
        return no_dataset(), [Fault(name, "", "JSON", str(error))]
    if not isinstance(content, dict):
        return no_dataset(), [Fault(name, "", "a JSON object", type(content).__name__)]
    faults: list[Fault] = []
    tables = {key: rows_of(content, key, name, faults) for key in ("images", "categories")}
    tables["annotations"] = rows_of(content, "annotations", name, faults, optional=True)
    categories = parse_categories(tables["categories"], name, faults)
    images = parse_images(tables["images"], name, faults)
    annotations = parse_annotations(
        tables["annotations"], images, categories, contract, name, faults
    )
    return Dataset(images, annotations, categories), faults


def no_dataset() -> Dataset:
    """Return a dataset of nothing."""
    return Dataset(Images.build([], [], [], []), Annotations.empty(), ())


def rows_of(
    content: Record, key: str, name: str, faults: list[Fault], optional: bool = False
) -> list[Record]:
    """Return the objects listed under `key`, adding a fault for whatever is no object."""
    if optional and key not in content:
        return []
    rows = content.get(key)
    if not isinstance(rows, list):
        found = "nothing" if key not in content else type(rows).__name__
        faults.append(Fault(name, key, "a list", found))
        return []
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            faults.append(Fault(name, f"{key}[{index}]", "an object", type(row).__name__))
    return [row for row in rows if isinstance(row, dict)]


def unique_ids(
    rows: list[Record], kind: str, name: str, faults: list[Fault]
) -> Iterator[tuple[int, Record]]:
    """Yield each row with its id, adding a fault where the id is no whole number or is not new."""
    seen: set[int] = set()
    for index, row in enumerate(rows):
        row_id = row.get("id")
        if not is_id(row_id):
            expected = "an `id`, a whole number from 0 up"
            faults.append(Fault(name, f"{kind}s[{index}]", expected, shown(row_id)))
        elif row_id in seen:
            faults.append(Fault(name, f"{kind} id {row_id}", "an id of its own", "a duplicate id"))
        else:
            seen.add(row_id)
            yield row_id, row


def parse_categories(rows: list[Record], name: str, faults: list[Fault]) -> tuple[Category, ...]:
    """Return the categories, sorted by id."""
    categories = []
    names: set[str] = set()
    for category_id, row in unique_ids(rows, "category", name, faults):
        label = row.get("name")
        record = f"category id {category_id}"
        if category_id > LARGEST_CATEGORY_ID:
            expected = f"an `id` below {LARGEST_CATEGORY_ID + 1}"
            faults.append(Fault(name, record, expected, f"{category_id}"))
        elif not isinstance(label, str) or not label:
            faults.append(Fault(name, record, "a `name`, a text", shown(label)))
        elif label in names:
            faults.append(Fault(name, record, "a name of its own", f"{label!r} again"))
        else:
            names.add(label)
            categories.append(Category(category_id, label))
    return tuple(sorted(categories, key=lambda category: category.id))


def parse_images(rows: list[Record], name: str, faults: list[Fault]) -> Images:
    """Return the images that have a file name and a size."""
    found: list[tuple[int, str, int, int, str]] = []
    names: set[str] = set()
    for image_id, row in unique_ids(rows, "image", name, faults):
        record = f"image id {image_id}"
        file_name, width, height = row.get("file_name"), row.get("width"), row.get("height")
        if not isinstance(file_name, str) or not file_name:
            faults.append(Fault(name, record, "a `file_name`, a text", shown(file_name)))
        elif file_name in names:
            faults.append(Fault(name, record, "a file of its own", f"{file_name!r} again"))
        elif not (is_side(width) and is_side(height)):
            expected = "`width` and `height`, whole numbers of pixels"
            faults.append(Fault(name, record, expected, f"{width!r} and {height!r}"))
        else:
            names.add(file_name)
            found.append((image_id, file_name, width, height, str(row.get("hash", ""))))
    ids, file_names, widths, heights, hashes = zip(*found, strict=True) if found else [()] * 5
    return Images.build(ids, file_names, widths, heights, hashes)


def is_side(value: Any) -> TypeGuard[int]:
    """Return whether a value can be an image's width or height."""
    return type(value) is int and 0 < value < 2**31


def parse_annotations(
    rows: list[Record],
    images: Images,
    categories: tuple[Category, ...],
    contract: Contract,
    name: str,
    faults: list[Fault],
) -> Annotations:
    """Return the annotations whose image, category, box and mask are sound."""
    sides = zip(images.widths.tolist(), images.heights.tolist(), strict=True)
    sizes: Sizes = dict(zip(images.ids.tolist(), sides, strict=True))
    known = {category.id for category in categories}
    found = []
    for annotation_id, row in unique_ids(rows, "annotation", name, faults):
        shape, wrong = parse_shape(row, sizes, contract)
        wrong += wrong_columns(row)
        image_id, category_id = row.get("image_id"), row.get("category_id")
        if not is_id(category_id) or category_id not in known:
            wrong.insert(0, (f"a `category_id` of {sorted(known)}", shown(category_id)))
        if not is_id(image_id) or image_id not in sizes:
            wrong.insert(0, ("an `image_id` of the images", shown(image_id)))
        record = f"annotation id {annotation_id}"
        faults.extend(Fault(name, record, *it) for it in wrong)
        if not wrong:
            found.append((annotation_id, image_id, category_id, *shape, row))
    return annotations_of(found)


def annotations_of(found: list[Any]) -> Annotations:
    """Return parsed rows as a record, with the scores and rounds that this project wrote."""
    rows = [it[-1] for it in found]
    gold = Annotations.gold(
        [it[0] for it in found],
        [it[1] for it in found],
        [it[2] for it in found],
        [it[3] for it in found],
        [it[4] for it in found],
        [bool(row.get("iscrowd")) for row in rows],
        [it[5] for it in found],
    )
    scores = np.array([or_default(row, "score", 1.0) for row in rows], np.float32)
    rounds = np.array([or_default(row, "round", GOLD_ROUND) for row in rows], np.int16)
    return replace(gold, scores=scores, rounds=rounds)


def or_default(row: Record, key: str, default: float) -> float:
    """Return a value of a row; a null says as little as nothing."""
    value = row.get(key)
    return default if value is None else value


def write_coco(path: Path, dataset: Dataset, teachers: Mapping[int, str] | None = None) -> None:
    """Write a dataset as a COCO file, aside and then renamed.

    Every annotation says its `source`; silver also says `round`, `score` and `teacher`.

    Args:
        path: the file to write.
        dataset: images and annotations, written in the order that they have.
        teachers: hash of the weights that labelled, for each round of the annotations.
    """
    write_coco_parts(path, dataset, [dataset.annotations], teachers or {})


def write_coco_parts(
    path: Path, dataset: Dataset, parts: Iterable[Annotations], teachers: Mapping[int, str]
) -> None:
    """Write the images and categories of a dataset with annotations that come part by part."""
    sides = zip(dataset.images.heights.tolist(), dataset.images.widths.tolist(), strict=True)
    sizes = dict(zip(dataset.images.ids.tolist(), sides, strict=True))
    rows = (row for part in parts for row in annotation_rows(part, teachers, sizes))
    with written_aside(path) as aside, aside.open("wb") as stream:
        stream.write(b'{"categories": [\n')
        write_rows(stream, ({"id": it.id, "name": it.name} for it in dataset.categories))
        stream.write(b'\n],\n"images": [\n')
        write_rows(stream, image_rows(dataset.images))
        stream.write(b'\n],\n"annotations": [\n')
        write_rows(stream, rows)
        stream.write(b"\n]}\n")


def write_rows(stream: BinaryIO, rows: Iterable[Record]) -> None:
    """Write objects as the inside of a JSON list, one a line."""
    separator = b""
    for row in rows:
        stream.write(separator + orjson.dumps(row))
        separator = b",\n"


def image_rows(images: Images) -> Iterator[Record]:
    """Yield the images as COCO has them."""
    columns = (images.ids.tolist(), images.file_names, images.widths, images.heights, images.hashes)
    for image_id, file_name, width, height, digest in zip(*columns, strict=True):
        row = {"id": image_id, "file_name": file_name, "width": int(width), "height": int(height)}
        yield row | ({"hash": digest} if digest else {})


def annotation_rows(
    annotations: Annotations, teachers: Mapping[int, str], sizes: Sizes
) -> Iterator[Record]:
    """Yield the annotations as COCO has them, boxes and areas to a hundredth of a pixel.

    Args:
        annotations: the rows; what a row has no value for, as a box or an area, is left out.
        teachers: hash of the weights that labelled, for each round.
        sizes: height and width of each image.
    """
    for begin in range(0, len(annotations), ROWS_AT_ONCE):
        part = annotations[begin : begin + ROWS_AT_ONCE]
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
            else:
                row |= {"source": "silver", "round": number, "score": score}
                row["teacher"] = teachers[number]
            yield row
