"""CVAT for images 1.1: one XML file with all images and their shapes."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np
from tqdm import tqdm

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.image_search import add_found_image
from pseudolabel.raw.importers.json_values import other_fields, size_of
from pseudolabel.raw.importers.shapes import (
    Mask,
    Polygon,
    ellipse,
    placed,
    rectangle,
    shape_fields,
    turned,
)
from pseudolabel.raw.importers.source_files import label_files, source_folder
from pseudolabel.raw.importers.split_builders import SplitBuilders
from pseudolabel.raw.importers.split_names import split_of
from pseudolabel.raw.importers.xml_files import read_xml, xml_value

_SHAPES = ("box", "polygon", "mask", "ellipse")
_KEYS = {
    *("label", "points", "rle", "left", "top", "width", "height"),
    *("xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "attributes"),
}


def read(request: ImportRequest) -> ImportResult:
    """Return the images of an XML file, or of all XML files in a folder.

    The splits are the subsets of the images, if the file has subsets with names of splits.
    """
    source, found = request.source, ImportResult()
    folder = source_folder(source)
    names = label_files(source, ".xml")
    builders = SplitBuilders.for_request(request)
    if not names:
        found.faults.append(Fault(str(source), "", "an XML file of CVAT", "none"))
    for name in names:
        root = read_xml(folder / name, name, found.faults)
        if root is None:
            continue
        if root.tag != "annotations":
            found.faults.append(Fault(name, "", "<annotations> of CVAT", f"<{root.tag}>"))
            continue
        tracks = len(root.findall("track"))
        if tracks:
            expected = "images (export as CVAT for images 1.1)"
            found.faults.append(Fault(name, "", expected, f"{tracks:,} tracks of a video"))
        for item in tqdm(root.findall("image"), desc="reading", unit="img", mininterval=2):
            subset = item.get("subset", "")
            split = split_of(subset) or request.split
            if subset and split_of(subset) is None:
                builders.note_unused("names of subsets, which are no splits", subset)
            _add_image(builders, split, name, item)
    builders.tags_to_labels("tags")
    builders.finish(found)
    return found


def _add_image(builders: SplitBuilders, split: str, file: str, item: Element) -> None:
    """Add an image with its shapes; tags become a field of the image."""
    builder = builders.of(split)
    name = item.get("name", "")
    size = size_of(item.get("width"), item.get("height"))
    image = add_found_image(builder, builders.images, file, [name], size)
    if image is None:
        return
    for number, shape in enumerate(item, start=1):
        record = f"image {name!r}, shape {number}"
        label = shape.get("label", "").strip()
        if shape.tag not in (*_SHAPES, "tag"):
            builders.note_unused(f"shapes without an area ({shape.tag})", f"{file}: {record}")
        elif not label:
            builder.fault(file, record, "a `label`", "none")
        elif shape.tag == "tag":
            image.setdefault("tags", []).append(label)
        else:
            try:
                part = _part_of(shape, (image["width"], image["height"]))
            except ValueError as error:
                builder.fault(file, record, f"a {shape.tag} of numbers", str(error))
            else:
                builder.add_label(
                    file, record, image, label, **_fields_of(shape) | shape_fields([part])
                )


def _fields_of(shape: Element) -> Record:
    """Return the other fields of a shape, such as `occluded`, and its attributes."""
    fields = other_fields({key: xml_value(text) for key, text in shape.items()}, _KEYS)
    attributes = {
        item.get("name", ""): xml_value((item.text or "").strip())
        for item in shape.findall("attribute")
    }
    return fields | ({"attributes": attributes} if attributes else {})


def _part_of(shape: Element, size: tuple[int, int]) -> Polygon | Mask:
    """Return a shape as a polygon or as a mask of the image's size.

    Raises:
        ValueError: a value is missing or is no number.
    """
    if shape.tag == "mask":
        return _mask_of(shape, size)
    turn = math.radians(_number(shape.get("rotation", "0")))
    if shape.tag == "box":
        x1, y1, x2, y2 = _numbers(shape, "xtl", "ytl", "xbr", "ybr")
        return turned(rectangle(x1, y1, x2, y2), (x1 + x2) / 2, (y1 + y2) / 2, turn)
    if shape.tag == "ellipse":
        x, y, across, down = _numbers(shape, "cx", "cy", "rx", "ry")
        return ellipse(x, y, across, down, turn)
    texts = shape.get("points", "").replace(";", ",").split(",")
    polygon = [_number(text) for text in texts]
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"{len(polygon)} numbers")
    return polygon


def _numbers(shape: Element, *keys: str) -> list[float]:
    """Return the attributes of a shape as numbers."""
    return [_number(shape.get(key, "")) for key in keys]


def _number(text: str) -> float:
    """Return a text as a finite number.

    Raises:
        ValueError: the text is no finite number.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(repr(text))
    return number


def _mask_of(shape: Element, size: tuple[int, int]) -> Mask:
    """Return the mask of a shape: runs of 0 and 1 in turns, row by row in a part of the image.

    Raises:
        ValueError: the runs do not fill the part, or the part is larger than the image.
    """
    left, top, width, height = (
        int(shape.get(key) or "") for key in ("left", "top", "width", "height")
    )
    runs = [int(text) for text in (shape.get("rle") or "").split(",")]
    if not (0 < width <= size[0] and 0 < height <= size[1]):
        raise ValueError(f"a mask of {width}x{height} in an image of {size[0]}x{size[1]}")
    if min(runs) < 0 or sum(runs) != width * height:
        raise ValueError(f"runs of {short_repr(sum(runs))} pixels for {width}x{height}")
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return placed(values.reshape(height, width), left, top, size)
