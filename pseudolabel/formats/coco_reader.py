"""Reading COCO files; all faults of a file are reported together."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pseudolabel.core.errors import DataError, Fault, short_repr
from pseudolabel.core.records import (
    GOLD_ROUND,
    REVIEW,
    REVIEW_ROUND,
    Annotations,
    Category,
    Dataset,
    Images,
)
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.coco_annotations import (
    Contract,
    Record,
    Sizes,
    check_columns,
    check_pixels,
    is_id,
    parse_shape,
)
from pseudolabel.formats.coco_columns import count_crowds, read_columns, read_image_columns
from pseudolabel.formats.coco_rows import parse_categories, parse_images, unique_ids


def read_coco(path: Path) -> Dataset:
    """Return the data set in a COCO file.

    Boxes become x1, y1, x2, y2, clipped to the image. A missing `area` becomes the area of the box.
    The other defaults are 0 for `iscrowd`, 1 for `score`, 0 for `round`, and an empty `hash`.

    Raises:
        DataError: the file breaks the contract; the error lists every fault.
    """
    if (dataset := read_columns(path)) is not None:
        return dataset
    dataset, faults = parse_coco(path, Contract.ANY)
    if faults:
        raise DataError(faults)
    return dataset


def read_coco_images(path: Path) -> Images:
    """Return the images in a COCO file; its annotations may not be checked.

    Raises:
        DataError: the file breaks the contract.
    """
    images = read_image_columns(path)
    return read_coco(path).images if images is None else images


def count_coco_annotations(path: Path) -> tuple[int, int]:
    """Return how many annotations a COCO file has, and how many of them are crowds.

    Raises:
        DataError: the file breaks the contract.
    """
    if (counts := count_crowds(path)) is not None:
        return counts
    rows = read_coco(path).annotations
    return len(rows), int(rows.crowds.sum())


def parse_coco(path: Path, contract: Contract) -> tuple[Dataset, list[Fault]]:
    """Return the valid rows of a COCO file, and every fault found in it.

    Args:
        path: the file.
        contract: what its annotations must have.
    """
    name = path.name
    try:
        content = orjson.loads(read_content(path).removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        return Dataset.empty(), [Fault(name, "", "a readable file", str(error.strerror))]
    except orjson.JSONDecodeError as error:
        return Dataset.empty(), [Fault(name, "", "JSON", str(error))]
    if not isinstance(content, dict):
        return Dataset.empty(), [Fault(name, "", "a JSON object", type(content).__name__)]
    faults: list[Fault] = []
    tables = {key: _objects_in(content, key, name, faults) for key in ("images", "categories")}
    tables["annotations"] = _objects_in(content, "annotations", name, faults, optional=True)
    faults += check_pixels(tables["annotations"], name) if contract is Contract.BOX else []
    categories = parse_categories(tables["categories"], name, faults)
    images = parse_images(tables["images"], name, faults)
    told_images = _ids_of_faults(tables["images"], images.ids.tolist())
    told_categories = _ids_of_faults(tables["categories"], [row.id for row in categories])
    annotations = _parse_annotations(
        tables["annotations"],
        images,
        categories,
        contract,
        name,
        faults,
        (told_images, told_categories),
    )
    return Dataset(images, annotations, categories), faults


def _objects_in(
    content: Record, key: str, name: str, faults: list[Fault], optional: bool = False
) -> list[Record]:
    """Return the objects in the list `key`, and add a fault for each value that is no object."""
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


def _ids_of_faults(rows: list[Record], sound: list[int]) -> set[str]:
    """Return the ids of images or categories with faults, as written and as meant.

    Args:
        rows: all images or categories.
        sound: the ids of those without faults.
    """
    ids = [row.get("id") for row in rows]
    values = [value for value in ids if type(value) in (int, float, str)]
    written = {repr(value) for value in values}
    meant = {str(value).removesuffix(".0") for value in values}
    return (written | meant) - set(map(str, sound))


def _parse_annotations(
    rows: list[Record],
    images: Images,
    categories: tuple[Category, ...],
    contract: Contract,
    name: str,
    faults: list[Fault],
    told: tuple[set[str], set[str]],
) -> Annotations:
    """Return the annotations without faults.

    An annotation of an image or category that has a fault itself is left out without another fault.

    Args:
        rows: the annotations.
        images: the images without faults.
        categories: the categories without faults.
        contract: what the annotations must have.
        name: the name of the file.
        faults: the list to which faults are added.
        told: the ids of the images and of the categories with faults, as `_ids_of_faults`.
    """
    sides = zip(images.widths.tolist(), images.heights.tolist(), strict=True)
    sizes: Sizes = dict(zip(images.ids.tolist(), sides, strict=True))
    file_names = dict(zip(images.ids.tolist(), images.file_names.tolist(), strict=True))
    known = {category.id for category in categories}
    # One text for all faults: it is long if there are many categories.
    expected_category = f"a `category_id` of {sorted(known)}"
    found = []
    for annotation_id, row in unique_ids(rows, "annotation", name, faults):
        shape, wrong = parse_shape(row, sizes, contract)
        wrong += check_columns(row)
        image_id, category_id = row.get("image_id"), row.get("category_id")
        has_category = is_id(category_id) and category_id in known
        has_image = is_id(image_id) and image_id in sizes
        if not has_category and repr(category_id) not in told[1]:
            wrong.insert(0, (expected_category, short_repr(category_id)))
        if not has_image and repr(image_id) not in told[0]:
            wrong.insert(0, ("an `image_id` of the images", short_repr(image_id)))
        place = f" on {file_names[image_id]}" if has_image else ""
        record = f"annotation id {annotation_id}{place}"
        faults.extend(Fault(name, record, *mismatch) for mismatch in wrong)
        if not wrong and has_category and has_image:
            found.append((annotation_id, image_id, category_id, *shape, row))
    return _build_annotations(found)


def _build_annotations(found: list[Any]) -> Annotations:
    """Return a record of parsed rows: ids, image ids, category ids, boxes, areas, masks, rows."""
    columns = zip(*found, strict=True) if found else [()] * 7
    ids, image_ids, category_ids, boxes, areas, masks, rows = columns
    crowds = [bool(row.get("iscrowd")) for row in rows]
    gold = Annotations.gold(ids, image_ids, category_ids, boxes, areas, crowds, masks)
    scores = np.array([_value_or(row, "score", 1.0) for row in rows], np.float32)
    rounds = np.array([_value_or(row, "round", GOLD_ROUND) for row in rows], np.int16)
    rounds[np.array([row.get("source") == REVIEW for row in rows], bool)] = REVIEW_ROUND
    return replace(gold, scores=scores, rounds=rounds)


def _value_or(row: Record, key: str, default: float) -> float:
    """Return a value of a row, or the default if the value is missing or null."""
    value = row.get(key)
    return default if value is None else value
