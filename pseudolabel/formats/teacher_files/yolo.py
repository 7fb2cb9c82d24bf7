"""Predictions of objects as YOLO's text files: a line per object, with its score at the end."""

from __future__ import annotations

import numpy as np

from pseudolabel.core import masks as run_lengths
from pseudolabel.core.regular_files import read_utf8
from pseudolabel.formats.coco_annotations import parse_polygons
from pseudolabel.formats.teacher_files.base import CLASS_LIST, Source
from pseudolabel.formats.teacher_files.objects import ObjectRows, clipped_box

_BOX = "a class, x, y, width, height and a score, as shares of the image"
_POLYGON = "a class, three points or more, and a score, as shares of the image"
_Line = tuple[str, int, str, list[float]]
"""The file, the number of the line, the class as text, and the other numbers."""


def read(source: Source, *, masks: bool) -> tuple[ObjectRows, bool]:
    """Return the objects of a folder of text files, which does not list its images.

    Args:
        source: the folder; faults are added to it.
        masks: whether a line has a polygon instead of a box.
    """
    names = [name for name in source.files("", ".txt") if name != CLASS_LIST]
    lines = [line for name in names for line in _read_lines(source, name, masks=masks)]
    stems = source.cover((name.removesuffix(".txt") for name in names), stems=True)
    listed = source.class_list()
    if listed is None and source.teacher.classes is None:
        source.fault("", f"the names of the classes, in {CLASS_LIST} or as `classes`", "none")
        return ObjectRows(), False
    classes = source.classes([line[2] for line in lines], listed)
    objects = ObjectRows()
    for name, number, text, values in lines:
        image_id = stems.get(name.removesuffix(".txt"))
        if image_id is not None and classes[text] >= 0:
            record = f"{name} line {number}"
            add = _add_mask if masks else _add_box
            add(objects, source, record, image_id, classes[text], values)
    return objects, False


def _read_lines(source: Source, name: str, *, masks: bool) -> list[_Line]:
    """Return the lines of a file; add a fault for each that is not an object with a score."""
    try:
        text = read_utf8(source.teacher.file / name)
    except (OSError, UnicodeDecodeError) as error:
        source.fault(name, "a text file in UTF-8", str(error))
        return []
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split()
        values = _numbers(cells[1:])
        right = len(cells) >= 8 and len(cells) % 2 == 0 if masks else len(cells) == 6
        if not cells:
            continue
        if not right or values is None or not cells[0].isdecimal():
            expected = _POLYGON if masks else _BOX
            source.fault(f"{name} line {number}", expected, line[:100])
        elif not 0 <= values[-1] <= 1:
            source.fault(f"{name} line {number}", "a score from 0 to 1", cells[-1])
        else:
            lines.append((name, number, str(int(cells[0])), values))
    return lines


def _numbers(cells: list[str]) -> list[float] | None:
    """Return finite numbers; None if one is not."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _add_box(
    objects: ObjectRows, source: Source, record: str, image_id: int, index: int, values: list[float]
) -> None:
    width, height = source.sizes[image_id]
    x, y, w, h, score = values
    if max(map(abs, (x, y, w, h))) > 2:
        source.fault(record, _BOX, " ".join(map(str, values)))
        return
    left, top = (x - w / 2) * width, (y - h / 2) * height
    box = clipped_box((left, top, left + w * width, top + h * height), (width, height))
    area = (box[2] - box[0]) * (box[3] - box[1])
    if box[2] <= box[0] or box[3] <= box[1]:
        source.left_out["objects outside of the image, or without area"] += 1
    else:
        objects.add(image_id, index, box, score, b"", area)


def _add_mask(
    objects: ObjectRows, source: Source, record: str, image_id: int, index: int, values: list[float]
) -> None:
    width, height = source.sizes[image_id]
    *shares, score = values
    points = np.array(shares).reshape(-1, 2) * (width, height)
    mask, wrong = parse_polygons([points.ravel().tolist()], (width, height))
    if wrong is not None:
        source.fault(record, *wrong)
        return
    area = float(run_lengths.areas([mask], height, width)[0])
    if area:
        box = run_lengths.boxes_xyxy([mask], height, width)[0].tolist()
        objects.add(image_id, index, tuple(box), score, mask, area)
    else:
        source.left_out["objects outside of the image, or without area"] += 1
