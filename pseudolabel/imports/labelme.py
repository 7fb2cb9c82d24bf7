"""labelme: a JSON file of shapes for each image, beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson
from tqdm import tqdm

from pseudolabel.errors import Fault, shown
from pseudolabel.formats.shapes import is_number
from pseudolabel.imports.source import Builder, Found, Record, Request, box_around

CORNERS = 32
"""Corners of the polygon that a circle becomes."""


def read(request: Request) -> Found:
    """Return all JSON files below a folder as one split."""
    source, found = request.source, Found()
    files = sorted(source.rglob("*.json"))
    if not files:
        found.faults.append(Fault(str(source), "", "JSON files of labelme", "none"))
    folder = request.images or source
    builder = Builder(folder, request.classes, not request.classes)
    for path in tqdm(files, desc="reading", unit="img", mininterval=2):
        label = path.relative_to(source).as_posix()
        try:
            content = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            builder.fault(label, "", "JSON", str(error))
            continue
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            builder.fault(label, "shapes", "a list", "none")
            continue
        add_image(builder, label, path, source, content)
    found.splits[request.split] = builder.finished()
    found.faults += builder.faults
    return found


def add_image(builder: Builder, label: str, path: Path, source: Path, content: Record) -> None:
    """Add an image with its shapes; those of one label and group are one object."""
    said = content.get("imagePath")
    if not isinstance(said, str) or not said:
        builder.fault(label, "imagePath", "a text", shown(said))
        return
    # Windows writes backslashes; the image lies where the JSON lies, whatever folders are named.
    name = said.replace("\\", "/").rpartition("/")[2]
    parent = path.relative_to(source).parent.as_posix()
    flags = {"flags": content["flags"]} if content.get("flags") else {}
    image = builder.add_image(label, name if parent == "." else f"{parent}/{name}", **flags)
    if image is None:
        return
    parts: dict[Any, list[tuple[str, Record]]] = {}
    for number, shape in enumerate(content["shapes"], start=1):
        record = f"shape {number}"
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
            builder.fault(label, record, "a shape with a `label`", shown(shape))
            continue
        group = shape.get("group_id")
        key = number if group is None else (shape["label"], str(group))
        parts.setdefault(key, []).append((record, shape))
    for shapes in parts.values():
        add_object(builder, label, image, shapes)


def add_object(
    builder: Builder, label: str, image: Record, shapes: list[tuple[str, Record]]
) -> None:
    """Add the object that some shapes are."""
    polygons = []
    for record, shape in shapes:
        polygon = polygon_of(shape)
        if polygon is None:
            kind = shape.get("shape_type", "polygon")
            found = f"{shown(kind)} of {shown(shape.get('points'))}"
            builder.fault(label, record, "a polygon, rectangle or circle of numbers", found)
        else:
            polygons.append(polygon)
    if not polygons:
        return
    record, first = shapes[0]
    known = {"label", "points", "shape_type", "mask"}
    fields = {key: value for key, value in first.items() if key not in known and value}
    box = box_around(polygons)
    builder.add_label(
        label, record, image, first["label"], segmentation=polygons, bbox=box, **fields
    )


def polygon_of(shape: Record) -> list[float] | None:
    """Return a shape as x, y, x, y, ..., None where it is no area or holds no numbers."""
    points = shape.get("points")
    if not isinstance(points, list) or not all(is_point(it) for it in points):
        return None
    kind = shape.get("shape_type", "polygon")
    if kind == "rectangle" and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return [x1, y1, x2, y1, x2, y2, x1, y2]
    if kind == "circle" and len(points) == 2:
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        turns = [2 * math.pi * number / CORNERS for number in range(CORNERS)]
        corners = [(x + radius * math.cos(it), y + radius * math.sin(it)) for it in turns]
        return [round(value, 3) for corner in corners for value in corner]
    if kind == "polygon" and len(points) >= 3:
        return [value for point in points for value in point]
    return None


def is_point(value: Any) -> bool:
    """Return whether a value is two finite numbers."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))
