"""Label Studio's tasks: predictions as regions in percent of the image, and annotations back.

A rotated box has its corner at x, y after turning; its hull is taken. Masks of brushes are RGBA
run lengths, which label-studio-sdk encodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError, Fault, short_repr
from pseudolabel.formats.coco_annotations import is_number
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.review.labels import Box, Label, LabelledImage, Record

FILE_NAME = "pseudolabel_file"
"""In a task's data: the name of the image in the raw root."""
BATCH = "pseudolabel_batch"
"""In a task's data: the batch that it was sent with."""
_LOCAL_FILES = "/data/local-files/?d="
_CONTROLS = {
    "detection": ("RectangleLabels",),
    "instance": ("BrushLabels", "PolygonLabels"),
    "semantic": ("BrushLabels", "PolygonLabels"),
    "classification": ("Choices",),
}
"""The ways to label in each task; the first one shows predictions."""


def labelling_config(task: str, class_names: Sequence[str]) -> str:
    """Return the XML of Label Studio's labelling page.

    Args:
        task: the task.
        class_names: the classes.
    """
    view = ET.Element("View")
    ET.SubElement(view, "Image", name="image", value="$image", zoom="true")
    for control in _CONTROLS[task]:
        options = {"name": control.lower(), "toName": "image"}
        options |= {"choice": "single"} if control == "Choices" else {}
        parent = ET.SubElement(view, control, options)
        for name in class_names:
            kind = "Choice" if control == "Choices" else "Label"
            ET.SubElement(parent, kind, value=name)
    return ET.tostring(view, encoding="unicode")


def to_task(image: LabelledImage, task: str, batch: int, model: str) -> Record:
    """Return an image with its predictions as a task to import.

    Args:
        image: the image with predicted labels.
        task: the task.
        batch: the number of the batch.
        model: the name of the predictions' version, such as `round 2`.
    """
    results = [
        _result(label, image, task, f"{batch}-{number}")
        for number, label in enumerate(image.labels, start=1)
    ]
    scores = [label.score for label in image.labels if label.score is not None]
    prediction: Record = {"model_version": model, "result": results}
    prediction |= {"score": float(np.mean(scores))} if scores else {}
    place = _LOCAL_FILES + quote(f"{IMAGES}/{image.file_name}")
    data = {"image": place, FILE_NAME: image.file_name, BATCH: batch}
    return {"data": data, "predictions": [prediction]}


def from_results(
    results: Iterable[Any], image: LabelledImage, class_names: Sequence[str]
) -> tuple[Label, ...]:
    """Return the labels of one annotation of an image.

    Args:
        results: the regions and choices of the annotation.
        image: the image that was sent.
        class_names: the classes.

    Raises:
        DataError: a result cannot be used; all faults of the annotation are listed.
    """
    labels: list[Label] = []
    faults: list[Fault] = []
    for number, result in enumerate(results, start=1):
        record = f"result {number}"
        kind = result.get("type") if isinstance(result, dict) else None
        value = result.get("value") if isinstance(result, dict) else None
        names = value.get(kind) if isinstance(value, dict) else None
        if not isinstance(names, list) or len(names) != 1 or names[0] not in class_names:
            expected = f"one of the classes {', '.join(class_names)}"
            faults.append(Fault(image.file_name, record, expected, short_repr(names)))
            continue
        label = _label(str(kind), names[0], value or {}, image)
        if label is None:
            expected = "a shape with an area, in percent of the image"
            faults.append(Fault(image.file_name, record, expected, short_repr(value)))
        else:
            labels.append(label)
    if faults:
        raise DataError(faults)
    return tuple(labels)


def _result(label: Label, image: LabelledImage, task: str, name: str) -> Record:
    """Return a predicted label as a region or a choice."""
    control = _CONTROLS[task][0].lower()
    row: Record = {"id": name, "type": control, "from_name": control, "to_name": "image"}
    value: Record = {control: [label.name]}
    if label.mask is not None:
        value |= {"format": "rle", "rle": _brush_from_mask(label.mask, image)}
    elif label.box is not None:
        x, y, width, height = label.box
        across, down = 100 / image.width, 100 / image.height
        value |= {"x": x * across, "y": y * down}
        value |= {"width": width * across, "height": height * down, "rotation": 0}
    if control != "choices":
        row |= {"original_width": image.width, "original_height": image.height}
        row["image_rotation"] = 0
    return row | {"value": value} | ({} if label.score is None else {"score": label.score})


def _label(kind: str, name: str, value: Record, image: LabelledImage) -> Label | None:
    """Return a result as a label; None if its shape is unusable."""
    if kind == "choices":
        return Label(name)
    if kind == "rectanglelabels":
        box = _box_of(value, image)
        return None if box is None else Label(name, box)
    mask = None
    if kind == "brushlabels":
        mask = _mask_of_brush(value.get("rle"), image)
    elif kind == "polygonlabels":
        mask = _mask_of_polygon(value.get("points"), image)
    return None if mask is None else Label(name, mask=mask)


def _box_of(value: Record, image: LabelledImage) -> Box | None:
    """Return a box, or the hull of a rotated one, clipped to the image; None without an area."""
    numbers = [value.get(key) for key in ("x", "y", "width", "height")]
    numbers.append(value.get("rotation") or 0)
    if not all(map(is_number, numbers)):
        return None
    x, y, width, height, degrees = (float(number) for number in numbers if number is not None)
    across, down = image.width / 100, image.height / 100
    x, y, width, height = x * across, y * down, width * across, height * down
    if degrees:
        turn = math.radians(degrees)
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)])
        rotation = np.array([(math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))])
        turned = corners @ rotation + (x, y)
        x, y = turned.min(axis=0)
        width, height = turned.max(axis=0) - (x, y)
    right, bottom = min(x + width, image.width), min(y + height, image.height)
    if x >= 0 and y >= 0 and right == x + width and bottom == y + height:
        return (x, y, width, height) if width > 0 and height > 0 else None
    left, top = max(x, 0.0), max(y, 0.0)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _brush_from_mask(mask: bytes, image: LabelledImage) -> list[int]:
    """Return a mask as the run lengths of a brush."""
    from label_studio_sdk.converter import brush  # noqa: PLC0415 - an extra

    (pixels,) = masks.decode([mask], image.height, image.width)
    encode: Any = brush.mask2rle
    encoded: list[int] = encode(pixels.astype(np.uint8) * 255)
    return encoded


def _mask_of_brush(runs: Any, image: LabelledImage) -> bytes | None:
    """Return the mask of a brush; None if the runs are damaged or no pixel is painted."""
    from label_studio_sdk.converter import brush  # noqa: PLC0415 - an extra

    if not isinstance(runs, list) or not all(type(run) is int for run in runs):
        return None
    try:
        values: NDArray[np.uint8] = brush.decode_rle(runs)
        pixels = values.reshape(image.height, image.width, 4)[:, :, 3] > 0
    except (IndexError, ValueError):
        return None
    return masks.encode(pixels[None])[0] if pixels.any() else None


def _mask_of_polygon(points: Any, image: LabelledImage) -> bytes | None:
    """Return the mask of a polygon; None if it has fewer than three corners or no pixel."""
    if not isinstance(points, list) or len(points) < 3:
        return None
    flat = [number for point in points if isinstance(point, list) for number in point]
    if len(flat) != 2 * len(points) or not all(map(is_number, flat)):
        return None
    scales = image.width / 100, image.height / 100
    pixels = [float(number) * scales[index % 2] for index, number in enumerate(flat)]
    mask = masks.from_polygons([pixels], image.height, image.width)
    return mask if masks.areas([mask], image.height, image.width)[0] else None
