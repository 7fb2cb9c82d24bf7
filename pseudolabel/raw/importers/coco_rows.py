"""The rows of one COCO file: ids that are no numbers, missing or doubled, and boxes as shares."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.formats.coco_annotations import is_id
from pseudolabel.raw.importers.base import ImportResult, Record
from pseudolabel.raw.importers.coco_files import CocoFile
from pseudolabel.raw.importers.json_values import whole_number

Id = int | str | None


def plain_id(value: Any) -> Id:
    """Return an id as a whole number if it is written as one, or as a text; otherwise None."""
    number = whole_number(value)
    if number is not None:
        return number
    return value if isinstance(value, str) else None


def drop_unused_doubles(file: CocoFile, found: ImportResult) -> None:
    """Drop each category that no label uses and that has the name of another category."""
    rows = file.content["categories"]
    used = {plain_id(row.get("category_id")) for row in file.content["annotations"]}
    names = Counter(short_repr(row.get("name")) for row in rows)
    kept = []
    for row in reversed(rows):
        name = short_repr(row.get("name"))
        if names[name] > 1 and plain_id(row.get("id")) not in used:
            names[name] -= 1
            text = f"{file.label}: id {short_repr(row.get('id'))}, {name}"
            found.unused.setdefault("categories with the name of another", []).append(text)
        else:
            kept.append(row)
    file.content["categories"] = kept[::-1]


def content_with_ids(file: CocoFile, found: ImportResult) -> Record:
    """Return the content of a file with valid ids: those of the file, or numbers from 1.

    A label of an unknown image or category is a fault. Valid ids stay as they are.
    """
    content = file.content
    _note_written_ids(file, found)
    images, new_images = _numbered(file, "images", found)
    categories, new_categories = _numbered(file, "categories", found)
    rows: list[Record] = []
    for number, row in enumerate(content["annotations"]):
        record = f"annotation {short_repr(row.get('id', number))}"
        changed = dict(row)
        for key, new_ids in (("image_id", new_images), ("category_id", new_categories)):
            new_id = new_ids.get(plain_id(row.get(key)))
            if new_id is None:
                expected = f"the `{key}` of a known {key.removesuffix('_id')}"
                found.faults.append(Fault(file.label, record, expected, short_repr(row.get(key))))
            else:
                changed[key] = new_id
        rows.append(changed)
    known = [plain_id(row.get("id")) for row in rows]
    if all(is_id(value) for value in known) and len(set(known)) == len(known):
        ids: list[Id] = known
    else:
        ids = list(range(1, len(rows) + 1))
        text = "of which some were missing, doubled or no whole numbers, count from 1 now"
        found.notes.append(f"{file.label}: the ids of annotations, {text}")
    annotations = [row | {"id": value} for row, value in zip(rows, ids, strict=True)]
    return content | {"images": images, "categories": categories, "annotations": annotations}


def _numbered(file: CocoFile, key: str, found: ImportResult) -> tuple[list[Record], dict[Id, int]]:
    """Return the rows of a list with valid ids, and the new id of each id."""
    rows = file.content[key]
    known = [plain_id(row.get("id")) for row in rows]
    doubled = {value for value, count in Counter(known).items() if count > 1}
    for value in sorted(map(short_repr, doubled)):
        found.faults.append(Fault(file.label, f"{key}: id {value}", "a unique id", "it again"))
    new_ids: dict[Id, int] = {}
    if all(is_id(value) for value in known):
        new_ids = {value: value for value in known if isinstance(value, int)}
    else:
        new_ids = {value: number for number, value in enumerate(known, start=1)}
        text = "which are not all whole numbers from 0 up, count from 1 now"
        found.notes.append(f"{file.label}: the ids of {key}, {text}")
    return [row | {"id": new_ids[value]} for row, value in zip(rows, known, strict=True)], new_ids


def _note_written_ids(file: CocoFile, found: ImportResult) -> None:
    """Say if ids are numbers that are written as texts or with decimals."""
    keys: dict[str, tuple[str, ...]] = {"images": ("id",), "categories": ("id",)}
    keys["annotations"] = ("id", "image_id", "category_id")
    values = [row.get(key) for name in keys for row in file.content[name] for key in keys[name]]
    if any(type(value) is not int and whole_number(value) is not None for value in values):
        found.notes.append(f"{file.label}: ids in texts or with decimals became whole numbers")
