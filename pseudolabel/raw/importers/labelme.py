"""labelme and tools that write its files: one JSON file of shapes per image, beside the image."""

from __future__ import annotations

import base64
import math
import posixpath
from typing import Any

from tqdm import tqdm

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.image_search import add_found_image
from pseudolabel.raw.importers.json_values import other_fields, read_json, size_of
from pseudolabel.raw.importers.shapes import (
    Mask,
    Polygon,
    ellipse,
    mask_of_png,
    placed,
    polygon_of_points,
    rectangle,
    shape_fields,
)
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_builders import SplitBuilders, splits_of_folders

_FILE_KEYS = {"version", "shapes", "imagePath", "imageData", "imageWidth", "imageHeight"}
_SHAPE_KEYS = {"label", "points", "shape_type", "mask"}
_WITHOUT_AREA = {"point", "points", "line", "linestrip"}


def read(request: ImportRequest) -> ImportResult:
    """Return all JSON files in a folder and its subfolders, as the splits that folders tell."""
    source, found = request.source, ImportResult()
    contents: dict[str, Record] = {}
    for label in FileIndex(source, {".json"}).names:
        content = read_json(source / label, label, found.faults)
        if isinstance(content, dict) and "shapes" in content:
            contents[label] = content
        elif content is not None:
            found.unused.setdefault("JSON files without `shapes`", []).append(label)
    if not contents and not found.faults:
        found.faults.append(Fault(str(source), "", "JSON files of labelme", "none"))
    images = FileIndex(request.images or source)
    builders = SplitBuilders(images, request.classes, not request.classes)
    splits = splits_of_folders(list(contents), request.split, found)
    for label, content in tqdm(contents.items(), desc="reading", unit="img", mininterval=2):
        _add_image(builders, splits[label], label, content)
    builders.finish(found)
    return found


def _add_image(builders: SplitBuilders, split: str, label: str, content: Record) -> None:
    """Add an image with its shapes; shapes of the same label and group are one object."""
    builder = builders.of(split)
    stated, shapes = content.get("imagePath"), content["shapes"]
    if not isinstance(shapes, list):
        builder.fault(label, "shapes", "a list", type(shapes).__name__)
        return
    if not isinstance(stated, str) or not stated:
        builder.fault(label, "imagePath", "a text", short_repr(stated))
        return
    # The image is beside its JSON file, whatever folder is stated. It may have been renamed.
    folder, base = posixpath.split(label)
    beside = posixpath.join(folder, posixpath.basename(stated.replace("\\", "/")))
    same = builders.images.find_stem(posixpath.join(folder, posixpath.splitext(base)[0]))
    names = [beside] if beside in builders.images else [stated, *same[: len(same) == 1]]
    size = size_of(content.get("imageWidth"), content.get("imageHeight"))
    fields = other_fields(content, _FILE_KEYS)
    image = add_found_image(builder, builders.images, label, names, size, **fields)
    if image is None:
        return
    parts: dict[Any, list[tuple[str, Record]]] = {}
    for number, shape in enumerate(shapes, start=1):
        record = f"shape {number}"
        name = shape.get("label") if isinstance(shape, dict) else None
        if not isinstance(name, str) or not name.strip():
            builder.fault(label, record, "a shape with a `label`", short_repr(shape))
            continue
        kind = shape.get("shape_type")
        if isinstance(kind, str) and kind in _WITHOUT_AREA:
            builders.note_unused(f"shapes without an area ({kind})", f"{label}: {record}")
            continue
        group = shape.get("group_id")
        key = number if group is None else (name.strip(), str(group))
        parts.setdefault(key, []).append((record, shape))
    for rows in parts.values():
        _add_object(builder, label, image, rows)


def _add_object(
    builder: Builder, label: str, image: Record, shapes: list[tuple[str, Record]]
) -> None:
    """Add the object that consists of one or more shapes."""
    parts: list[Polygon | Mask] = []
    for record, shape in shapes:
        kind = shape.get("shape_type") or "polygon"
        try:
            part = _mask_of(shape, image) if kind == "mask" else _polygon_of(kind, shape)
        except ValueError as error:
            builder.fault(label, record, "a mask, a PNG in base64 at its first point", str(error))
            continue
        if part is None:
            found = f"{short_repr(kind)} of {short_repr(shape.get('points'))}"
            expected = "a polygon, rectangle, rotation, circle or mask of numbers"
            builder.fault(label, record, expected, found)
        else:
            parts.append(part)
    if parts:
        record, first = shapes[0]
        fields = other_fields(first, _SHAPE_KEYS) | shape_fields(parts)
        builder.add_label(label, record, image, first["label"].strip(), **fields)


def _polygon_of(kind: Any, shape: Record) -> Polygon | None:
    """Return a shape as x, y, x, y, ...; None if it has no area or invalid points."""
    polygon = polygon_of_points(shape.get("points"))
    if polygon is None:
        return None
    if len(polygon) == 4 and kind == "rectangle":
        x1, y1, x2, y2 = polygon
        return rectangle(x1, y1, x2, y2)
    if len(polygon) == 4 and kind == "circle":
        x, y, edge_x, edge_y = polygon
        radius = math.dist((x, y), (edge_x, edge_y))
        return ellipse(x, y, radius, radius)
    # Rectangles that were turned or edited have four corners.
    outlined = kind in ("polygon", "rectangle", "rotation", "quadrilateral")
    return polygon if outlined and len(polygon) >= 6 else None


def _mask_of(shape: Record, image: Record) -> Mask:
    """Return the mask of a shape, in the image's size.

    Raises:
        ValueError: the shape has no mask, or no place for it.
    """
    size = (image["width"], image["height"])
    points = polygon_of_points(shape.get("points"))
    text = shape.get("mask")
    if not points or not isinstance(text, str):
        raise ValueError("no mask" if points else "no points")
    content = base64.b64decode(text)
    x, y = (max(min(round(value), 2**31), -(2**31)) for value in points[:2])
    return placed(mask_of_png(content, size), x, y, size)
