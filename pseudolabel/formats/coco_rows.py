"""Categories and images of COCO files, with the faults found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.records import Category, Images
from pseudolabel.formats.coco_annotations import Record, is_id
from pseudolabel.formats.safe_names import describe_class_fault, describe_file_fault

_LARGEST_CATEGORY_ID = 2**31 - 1


def unique_ids(
    rows: list[Record], kind: str, name: str, faults: list[Fault]
) -> Iterator[tuple[int, Record]]:
    """Yield each row with its id, and add a fault for each invalid or repeated id."""
    seen: set[int] = set()
    for index, row in enumerate(rows):
        row_id = row.get("id")
        if not is_id(row_id):
            expected = "an `id`, a whole number from 0 up"
            faults.append(Fault(name, f"{kind}s[{index}]", expected, short_repr(row_id)))
        elif row_id in seen:
            faults.append(Fault(name, f"{kind} id {row_id}", "a unique id", "a duplicate id"))
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
        if category_id > _LARGEST_CATEGORY_ID:
            expected = f"an `id` below {_LARGEST_CATEGORY_ID + 1}"
            faults.append(Fault(name, record, expected, f"{category_id}"))
        elif not isinstance(label, str) or not label:
            faults.append(Fault(name, record, "a `name`, a text", short_repr(label)))
        elif unsafe := describe_class_fault(label):
            faults.append(Fault(name, record, unsafe, repr(label)))
        elif label in names:
            faults.append(Fault(name, record, "a unique name", f"{label!r} again"))
        else:
            names.add(label)
            categories.append(Category(category_id, label))
    return tuple(sorted(categories, key=lambda category: category.id))


def parse_images(rows: list[Record], name: str, faults: list[Fault]) -> Images:
    """Return the images with a valid file name and size."""
    found: list[tuple[int, str, int, int, str]] = []
    names: set[str] = set()
    for image_id, row in unique_ids(rows, "image", name, faults):
        record = f"image id {image_id}"
        file_name, width, height = row.get("file_name"), row.get("width"), row.get("height")
        if not isinstance(file_name, str) or not file_name:
            faults.append(Fault(name, record, "a `file_name`, a text", short_repr(file_name)))
        elif unsafe := describe_file_fault(file_name):
            faults.append(Fault(name, record, unsafe, repr(file_name)))
        elif file_name in names:
            faults.append(Fault(name, record, "a unique file", f"{file_name!r} again"))
        elif not (_is_side(width) and _is_side(height)):
            expected = "`width` and `height`, whole numbers of pixels"
            faults.append(Fault(name, record, expected, f"{width!r} and {height!r}"))
        else:
            names.add(file_name)
            found.append((image_id, file_name, width, height, str(row.get("hash", ""))))
    ids, file_names, widths, heights, hashes = zip(*found, strict=True) if found else [()] * 5
    return Images.build(ids, file_names, widths, heights, hashes)


def _is_side(value: Any) -> TypeGuard[int]:
    """Return whether a value is a valid width or height of an image."""
    return type(value) is int and 0 < value < 2**31
