"""VGG Image Annotator 2: a project, or its export as JSON."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.formats.coco_annotations import is_number
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.image_search import add_found_image
from pseudolabel.raw.importers.json_values import other_fields, read_json
from pseudolabel.raw.importers.shapes import Polygon, ellipse, rectangle, shape_fields
from pseudolabel.raw.importers.source_files import label_files, source_folder
from pseudolabel.raw.importers.split_builders import SplitBuilders, splits_of_folders

_PROJECT = "_via_img_metadata"
_NUMBERS = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}
_CLASS_KEYS = ("class", "label", "name", "type", "category", "object")
"""Attributes that are the class if a region has several."""


def read(request: ImportRequest) -> ImportResult:
    """Return the images of a project or export, or of all in a folder."""
    source, found = request.source, ImportResult()
    folder = source_folder(source)
    names = label_files(source, ".json")
    builders = SplitBuilders.for_request(request)
    entries = {name: _entries_of(read_json(folder / name, name, found.faults)) for name in names}
    for name in [name for name, rows in entries.items() if rows is None]:
        entries.pop(name)
        found.unused.setdefault("JSON files that are not of VIA 2", []).append(name)
    if not entries and not found.faults:
        found.faults.append(Fault(str(source), "", "a project or export of VIA 2", "none"))
    splits = splits_of_folders(list(entries), request.split, found)
    for name, rows in entries.items():
        for row in tqdm(rows or [], desc="reading", unit="img", mininterval=2):
            _add_image(builders, splits[name], name, row)
    builders.finish(found)
    return found


def _entries_of(content: Any) -> list[Record] | None:
    """Return the images of a project or export; None if the content is neither."""
    if isinstance(content, dict) and isinstance(content.get(_PROJECT), dict):
        content = content[_PROJECT]
    if not isinstance(content, dict):
        return None
    rows = list(content.values())
    valid = all(isinstance(row, dict) and "filename" in row and "regions" in row for row in rows)
    return rows if rows and valid else None


def _add_image(builders: SplitBuilders, split: str, file: str, row: Record) -> None:
    """Add an image with its regions."""
    builder = builders.of(split)
    name, regions = row["filename"], row["regions"]
    regions = list(regions.values()) if isinstance(regions, dict) else regions
    if not isinstance(name, str) or not name or not isinstance(regions, list):
        builder.fault(file, "an image", "a `filename` and `regions`", short_repr(row))
        return
    fields = other_fields({"file_attributes": row.get("file_attributes")}, ())
    image = add_found_image(builder, builders.images, file, [name], **fields)
    for number, region in enumerate(regions if image is not None else [], start=1):
        record = f"image {name!r}, region {number}"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        if image is None or not isinstance(shape, dict):
            builder.fault(file, record, "`shape_attributes`", short_repr(region))
            continue
        kind = str(shape.get("name"))
        if kind not in (*_NUMBERS, "polygon"):
            builders.note_unused(f"shapes without an area ({kind})", f"{file}: {record}")
            continue
        attributes = region.get("region_attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        label, polygon = _class_of(attributes, builders), _polygon_of(kind, shape)
        if label is None:
            expected = "one attribute with the class, or one of " + ", ".join(_CLASS_KEYS)
            builder.fault(file, record, expected, short_repr(attributes))
        elif polygon is None:
            builder.fault(file, record, f"a {kind} of numbers", short_repr(shape))
        else:
            more = {"attributes": attributes} if len(attributes) > 1 else {}
            builder.add_label(file, record, image, label, **more | shape_fields([polygon]))


def _class_of(attributes: Record, builders: SplitBuilders) -> str | None:
    """Return the class of a region; None if its attributes do not tell it."""
    if not attributes:
        return builders.only_class
    keys = (
        list(attributes)
        if len(attributes) == 1
        else [key for name in _CLASS_KEYS for key in attributes if key.strip().lower() == name]
    )
    value = attributes[keys[0]] if keys else None
    if isinstance(value, dict):
        # A checkbox: the names that are ticked.
        ticked = [name for name, tick in value.items() if tick]
        value = ticked[0] if len(ticked) == 1 else None
    return (value.strip() or None) if isinstance(value, str) else None


def _polygon_of(kind: str, shape: Record) -> Polygon | None:
    """Return a shape as x, y, x, y, ...; None if it has no area or invalid numbers."""
    if kind == "polygon":
        x, y = shape.get("all_points_x"), shape.get("all_points_y")
        if not (isinstance(x, list) and isinstance(y, list) and len(x) == len(y) >= 3):
            return None
        polygon = [value for point in zip(x, y, strict=True) for value in point]
        return polygon if all(map(is_number, polygon)) else None
    numbers = [shape.get(key) for key in _NUMBERS[kind]]
    turn = shape.get("theta") or 0
    if not (all(map(is_number, numbers)) and is_number(turn)):
        return None
    values = [float(number) for number in numbers if number is not None]
    if kind == "rect":
        x1, y1, width, height = values
        return rectangle(x1, y1, x1 + width, y1 + height)
    return ellipse(values[0], values[1], values[2], values[-1], turn)
