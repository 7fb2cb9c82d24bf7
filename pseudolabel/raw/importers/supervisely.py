"""Supervisely: folders of data sets with img/ and ann/, one JSON file per image.

Pixels are counted from 0, and the corner pixels belong to a rectangle.
"""

from __future__ import annotations

import base64
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from tqdm import tqdm

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.image_search import add_found_image
from pseudolabel.raw.importers.json_values import other_fields, read_json, size_of
from pseudolabel.raw.importers.shapes import (
    Mask,
    Polygon,
    filled,
    mask_of_png,
    placed,
    polygon_of_points,
    rectangle,
    shape_fields,
    unpacked,
)
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_builders import SplitBuilders, splits_of_folders

_KINDS = ("rectangle", "polygon", "bitmap")
_KEYS = {"classTitle", "classId", "geometryType", "points", "bitmap"}
_PNG_OVERHEAD = 1 << 16
"""Bytes that a PNG may have beside 4 bytes per pixel."""


def read(request: ImportRequest) -> ImportResult:
    """Return the images of all data sets of a project, as the splits that their folders tell."""
    source, found = request.source, ImportResult()
    names = FileIndex(source, {".json"}).names
    labels = [name for name in names if PurePosixPath(name).parent.name == "ann"]
    if not labels:
        found.faults.append(Fault(str(source), "ann", "JSON files of Supervisely", "none"))
    others = [name for name in names if name not in set(labels) and name != "meta.json"]
    if others:
        found.unused["JSON files outside ann/"] = others
    classes = request.classes or _classes_of(source, found)
    builders = SplitBuilders(FileIndex(request.images or source), classes, not request.classes)
    splits = splits_of_folders(labels, request.split, found)
    for label in tqdm(labels, desc="reading", unit="img", mininterval=2):
        content = read_json(source / label, label, found.faults)
        if content is not None:
            _add_image(builders, splits[label], label, content)
    builders.finish(found)
    return found


def _classes_of(source: Any, found: ImportResult) -> tuple[str, ...]:
    """Return the classes of meta.json; none if there is no such file."""
    path = source / "meta.json"
    content = read_json(path, path.name, found.faults) if path.is_file() else {}
    rows = content.get("classes") if isinstance(content, dict) else None
    titles = [row.get("title") for row in rows or [] if isinstance(row, dict)]
    return tuple(title.strip() for title in titles if isinstance(title, str) and title.strip())


def _add_image(builders: SplitBuilders, split: str, label: str, content: Any) -> None:
    """Add an image with its objects."""
    builder = builders.of(split)
    objects = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(objects, list):
        builder.fault(label, "objects", "a list", short_repr(objects))
        return
    path = PurePosixPath(label)
    stated = content.get("size")
    size = size_of(stated.get("width"), stated.get("height")) if isinstance(stated, dict) else None
    name = (path.parent.parent / "img" / path.stem).as_posix()
    fields = other_fields(content, {"objects", "size"})
    image = add_found_image(builder, builders.images, label, [name], size, **fields)
    for number, row in enumerate(objects if image is not None else [], start=1):
        record = f"object {number}"
        title = row.get("classTitle") if isinstance(row, dict) else None
        if image is None or not isinstance(title, str) or not title.strip():
            builder.fault(label, record, "an object with a `classTitle`", short_repr(row))
        elif row.get("geometryType") not in _KINDS:
            kind = short_repr(row.get("geometryType")).strip("'")
            builders.note_unused(f"shapes that are not supported ({kind})", f"{label}: {record}")
        else:
            _add_object(builder, label, record, image, row)


def _add_object(builder: Builder, label: str, record: str, image: Record, row: Record) -> None:
    """Add an object with its shape."""
    kind = row["geometryType"]
    try:
        part = _part_of(kind, row, (image["width"], image["height"]))
    except ValueError as error:
        builder.fault(label, record, f"a {kind} of numbers", str(error))
        return
    fields = other_fields(row, _KEYS) | shape_fields([part])
    builder.add_label(label, record, image, row["classTitle"].strip(), **fields)


def _part_of(kind: str, row: Record, size: tuple[int, int]) -> Polygon | Mask:
    """Return a shape as a polygon, or as a mask of the image's size if it has holes.

    Raises:
        ValueError: the shape has no area or invalid values.
    """
    if kind == "bitmap":
        return _bitmap_of(row.get("bitmap"), size)
    points = row.get("points")
    points = points if isinstance(points, dict) else {}
    outline = polygon_of_points(points.get("exterior"))
    if outline is None or len(outline) < (4 if kind == "rectangle" else 6):
        raise ValueError(short_repr(points))
    if kind == "rectangle":
        x, y = outline[::2], outline[1::2]
        return rectangle(min(x), min(y), max(x) + 1, max(y) + 1)
    interior = points.get("interior") or []
    holes = [polygon_of_points(hole) for hole in interior] if isinstance(interior, list) else [None]
    sound = [hole for hole in holes if hole is not None and len(hole) >= 6]
    if len(sound) < len(holes):
        raise ValueError(f"holes {short_repr(interior)}")
    if not sound:
        return outline
    return filled(outline, size) & ~np.any([filled(hole, size) for hole in sound], axis=0)


def _bitmap_of(bitmap: Any, size: tuple[int, int]) -> Mask:
    """Return the mask of a bitmap: a packed PNG in base64, and the place of its first pixel.

    Raises:
        ValueError: the bitmap is damaged or larger than the image.
    """
    data = bitmap.get("data") if isinstance(bitmap, dict) else None
    origin = polygon_of_points([bitmap.get("origin")]) if isinstance(data, str) else None
    if not isinstance(data, str) or not origin:
        raise ValueError("no `data` and `origin`")
    content = unpacked(base64.b64decode(data), 4 * size[0] * size[1] + _PNG_OVERHEAD)
    x, y = (max(min(round(value), 2**31), -(2**31)) for value in origin)
    return placed(mask_of_png(content, size), x, y, size)
