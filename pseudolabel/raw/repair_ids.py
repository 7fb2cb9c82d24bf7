"""Repairing the ids of a COCO file: their types, doubled ids, doubled categories."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from pseudolabel.core.errors import short_repr
from pseudolabel.formats.coco_annotations import Record, is_id

_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}(\.0*)?")


def objects_in(content: Record, key: str) -> list[Record]:
    """Return the objects in the list `key`; none if the value is no list."""
    rows = content.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def drop_rows(content: Record, key: str, dropped: list[Record]) -> None:
    """Remove rows from the list `key`; the others keep their order."""
    gone = {id(row) for row in dropped}
    content[key] = [row for row in content[key] if id(row) not in gone]


def repair_ids(content: Record) -> Iterator[str]:
    """Repair ids in place, and yield one line per repair.

    Ids of images and categories that are texts or floats of whole numbers become whole numbers,
    also in the annotations. Annotation ids that are doubled, missing or no id become new ones.
    """
    annotations = objects_in(content, "annotations")
    for kind, key in (("image", "images"), ("category", "categories")):
        rows = objects_in(content, key)
        yield from _make_whole(rows, kind, annotations)
    yield from _renumber(annotations)


def _whole(value: Any) -> int | None:
    """Return the id that a text or a float means; None for any other value."""
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value.split(".")[0])
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if is_id(value) else None


def _make_whole(rows: list[Record], kind: str, annotations: list[Record]) -> Iterator[str]:
    """Make the ids of images or categories whole numbers, and those of their annotations."""
    meant = [_whole(row.get("id")) for row in rows]
    key = f"{kind}_id"
    uses = Counter(meant)
    for row, number in zip(rows, meant, strict=True):
        # Two ids that mean the same number, such as 1 and "1", stay faults.
        if number is not None and type(row["id"]) is not int and uses[number] == 1:
            yield f"{kind} id {row['id']!r}: made {number}"
            row["id"] = number
    known = {row.get("id") for row in rows if is_id(row.get("id"))}
    for row in annotations:
        number = _whole(row.get(key))
        if type(row.get(key)) in (str, float) and number in known and uses[number] == 1:
            yield f"annotation id {row.get('id')}: {kind} id {row[key]!r} made {number}"
            row[key] = number


def _renumber(annotations: list[Record]) -> Iterator[str]:
    """Give annotations without an id of their own a new one; the first of equal ids stays."""
    used = {row["id"] for row in annotations if is_id(row.get("id"))}
    seen: set[int] = set()
    wrong = []
    for index, row in enumerate(annotations):
        if is_id(row.get("id")) and row["id"] not in seen:
            seen.add(row["id"])
        else:
            wrong.append((index, row))
    free = (number for number in count(1) if number not in used)
    for index, row in wrong:
        number, old = _whole(row.get("id")), row.get("id")
        row["id"] = number if number is not None and number not in used else next(free)
        used.add(row["id"])
        yield f"annotations[{index}]: id {short_repr(old)} made {row['id']}"


def drop_unused_categories(contents: Mapping[str, Record]) -> dict[str, list[str]]:
    """Drop categories without annotations whose name another category has; return the lines.

    A category is unused if no file has an annotation of it. All files drop the same ids, because
    they must have the same categories.

    Args:
        contents: the contents of the COCO files, by split.
    """
    used = {
        row["category_id"]
        for content in contents.values()
        for row in objects_in(content, "annotations")
        if is_id(row.get("category_id"))
    }
    named = _ids_by_name([row for content in contents.values() for row in _categories_of(content)])
    kept = {name: ids & used or {min(ids)} for name, ids in named.items()}
    return {split: list(_drop_categories(content, kept)) for split, content in contents.items()}


def _categories_of(content: Record) -> list[Record]:
    """Return the categories of a file that have an id and a name."""
    rows = objects_in(content, "categories")
    return [row for row in rows if is_id(row.get("id")) and isinstance(row.get("name"), str)]


def _ids_by_name(categories: list[Record]) -> dict[str, set[int]]:
    """Return the ids of each category name."""
    ids: dict[str, set[int]] = {}
    for row in categories:
        ids.setdefault(row["name"], set()).add(row["id"])
    return ids


def _drop_categories(content: Record, kept: Mapping[str, set[int]]) -> Iterator[str]:
    """Drop the categories of a file that are not among the kept ids of their name."""
    rows = _categories_of(content)
    present = _ids_by_name(rows)
    dropped = []
    for row in rows:
        category_id, name = row["id"], row["name"]
        others = sorted(kept[name] & present[name])
        if others and category_id not in kept[name]:
            dropped.append(row)
            reason = f"no label has it, and {name!r} is category id {others[0]}, too"
            yield f"category id {category_id}: dropped, {reason}"
    if dropped:
        drop_rows(content, "categories", dropped)
