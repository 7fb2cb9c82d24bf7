"""Predictions of objects in COCO's forms: a list of results, or a file with `annotations`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import orjson

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.coco_annotations import Contract, is_number, parse_shape
from pseudolabel.formats.teacher_files.base import Source
from pseudolabel.formats.teacher_files.objects import ObjectRows, clipped_box

Row = dict[str, Any]


@dataclass(frozen=True)
class _Names:
    """The file of each image id and the class of each category id, as texts."""

    images: dict[str, str]
    classes: dict[str, str]


def read(source: Source, *, masks: bool) -> tuple[ObjectRows, bool]:
    """Return the objects of a COCO file, and whether it lists its images.

    Args:
        source: the file; faults are added to it.
        masks: whether each object needs a `segmentation`.
    """
    content = _read_json(source.teacher.file, source.faults)
    rows = content.get("annotations") if isinstance(content, dict) else content
    if not _are_rows(rows):
        if not source.faults:
            found = type(content).__name__
            source.fault("", "a list of results, or an object with `annotations`", found)
        return ObjectRows(), False
    names = _names_of(source, content)
    listed = set(names.images.values()) if _lists_images(content, source) else set()
    used = [_image_name(row, names) for row in rows]
    source.cover(listed | {name for name in used if name is not None})
    texts = [_text(row.get("category_id")) for row in rows]
    classes = source.classes([names.classes.get(text, text) for text in texts], None)
    objects = ObjectRows()
    for number, (row, name, text) in enumerate(zip(rows, used, texts, strict=True)):
        if name is None:
            expected = (
                "a `file_name`, a text as `image_id`, or the COCO file of its number as `ids`"
            )
            source.fault(f"result {number}", expected, short_repr(row.get("image_id")))
        elif name in source.covered:
            index = classes[names.classes.get(text, text)]
            _add(objects, source, row, f"result {number}", source.covered[name], index, masks)
    return objects, bool(listed)


def _add(
    objects: ObjectRows,
    source: Source,
    row: Row,
    record: str,
    image_id: int,
    index: int,
    masks: bool,
) -> None:
    """Add one result; add a fault if it cannot be used."""
    score = row.get("score")
    if not is_number(score) or not 0 <= score <= 1:
        source.fault(record, "a `score` from 0 to 1", short_repr(score))
        return
    size = source.sizes[image_id]
    if masks:
        image = {"image_id": image_id, "segmentation": row.get("segmentation")}
        (box, area, mask), wrong = parse_shape(image, {image_id: size}, Contract.MASK)
        if wrong and wrong[0][0] != "a mask with an area":
            source.fault(record, *wrong[0])
            return
        usable = not wrong
    else:
        values = row.get("bbox")
        if not (isinstance(values, list) and len(values) == 4 and all(map(is_number, values))):
            source.fault(record, "a `bbox` of x, y, width, height", short_repr(values))
            return
        x, y, width, height = values
        box = clipped_box((x, y, x + width, y + height), size)
        area, mask, usable = (box[2] - box[0]) * (box[3] - box[1]), b"", True
    if not usable or box[2] <= box[0] or box[3] <= box[1]:
        source.left_out["objects outside of the image, or without area"] += 1
    elif index >= 0:
        objects.add(image_id, index, box, float(score), mask, area)


def _names_of(source: Source, content: Any) -> _Names:
    """Return the names of images and classes: those of the file itself, or of `ids`."""
    if source.teacher.ids is not None:
        content = _read_json(source.teacher.ids, source.faults)
    if not isinstance(content, dict):
        return _Names({}, {})
    images, categories = content.get("images", []), content.get("categories", [])
    for key, rows in (("images", images), ("categories", categories)):
        if not _are_rows(rows):
            file = str(source.teacher.ids or source.teacher.file)
            source.faults.append(Fault(file, key, "a list of objects", type(rows).__name__))
            return _Names({}, {})
    files = {_text(row.get("id")): row.get("file_name") for row in images}
    classes = {_text(row.get("id")): row.get("name") for row in categories}
    return _Names(
        {key: name for key, name in files.items() if isinstance(name, str)},
        {key: name for key, name in classes.items() if isinstance(name, str)},
    )


def _lists_images(content: Any, source: Source) -> bool:
    """Return whether the file itself has the images that were predicted."""
    return isinstance(content, dict) and bool(content.get("images")) and source.teacher.ids is None


def _image_name(row: Row, names: _Names) -> str | None:
    """Return the file of a result's image; None if the result does not tell it."""
    name, image_id = row.get("file_name"), row.get("image_id")
    if isinstance(name, str):
        return name
    return names.images.get(_text(image_id), image_id if isinstance(image_id, str) else None)


def _text(value: Any) -> str:
    """Return an id as text; other values become their short form, which no file has as an id."""
    return value if isinstance(value, str) else short_repr(value)


def _are_rows(value: Any) -> TypeGuard[list[Row]]:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _read_json(path: Path, faults: list[Fault]) -> Any:
    """Return the value of a JSON file; add a fault and return None if it cannot be read."""
    try:
        return orjson.loads(read_content(path))
    except (OSError, orjson.JSONDecodeError) as error:
        faults.append(Fault(str(path), "", "JSON", str(error)))
        return None
