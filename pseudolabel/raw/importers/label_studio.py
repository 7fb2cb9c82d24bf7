"""Label Studio: its JSON export, with boxes and polygons in percent of the image."""

from __future__ import annotations

import math
import posixpath
from typing import Any

from tqdm import tqdm

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.formats.coco_annotations import is_number
from pseudolabel.formats.image_files import IMAGE_SUFFIXES
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.image_search import add_found_image, find_image
from pseudolabel.raw.importers.json_values import other_fields, read_json, size_of
from pseudolabel.raw.importers.shapes import (
    Polygon,
    ellipse,
    polygon_of_points,
    rectangle,
    shape_fields,
    turned,
)
from pseudolabel.raw.importers.source_files import FileIndex, label_files, source_folder
from pseudolabel.raw.importers.split_builders import SplitBuilders

_KINDS = ("rectanglelabels", "polygonlabels", "ellipselabels")
_RESULT_KEYS = {
    *("value", "type", "from_name", "to_name", "original_width", "original_height"),
    *("image_rotation", "origin"),
}
_VALUE_KEYS = {"x", "y", "width", "height", "rotation", "points", "radiusX", "radiusY", "closed"}


def read(request: ImportRequest) -> ImportResult:
    """Return the annotated tasks of an export, or of all exports in a folder, as one split."""
    source, found = request.source, ImportResult()
    folder = source_folder(source)
    names = label_files(source, ".json")
    builders = SplitBuilders.for_request(request)
    exports = 0
    for name in names:
        tasks = read_json(folder / name, name, found.faults)
        if isinstance(tasks, list):
            exports += 1
            for number, task in enumerate(tqdm(tasks, "reading", unit="img", mininterval=2), 1):
                _add_task(builders, request.split, name, number, task)
        elif tasks is not None:
            found.unused.setdefault("JSON files that are no list of tasks", []).append(name)
    if not exports and not found.faults:
        found.faults.append(Fault(str(source), "", "the export JSON of Label Studio", "none"))
    builders.tags_to_labels("choices")
    builders.finish(found)
    return found


def _add_task(builders: SplitBuilders, split: str, file: str, number: int, task: Any) -> None:
    """Add the image of a task with the labels of its annotation."""
    builder = builders.of(split)
    valid = isinstance(task, dict) and isinstance(task.get("data"), dict)
    if not valid or not isinstance(task.get("annotations"), list):
        expected = "a task with `data` and `annotations` (the export JSON, not JSON-MIN)"
        builder.fault(file, f"task {number}", expected, short_repr(task))
        return
    record = f"task {short_repr(task.get('id', number))}"
    if task.get("predictions"):
        builders.note_unused("tasks with predictions", f"{file}: {record}")
    results = _results_of(builders, file, record, task["annotations"])
    names = _image_names(task, builders.images)
    if results is None:
        builders.note_unused("tasks without annotations", f"{file}: {record}")
        return
    if not names:
        builder.fault(file, record, "an image in `data`", short_repr(task["data"]))
        return
    sizes = [size_of(row.get("original_width"), row.get("original_height")) for row in results]
    image = add_found_image(builder, builders.images, file, names, next(iter(sizes), None))
    for position, result in enumerate(results if image is not None else [], start=1):
        if image is not None:
            _add_result(builders, builder, file, f"{record}, result {position}", image, result)


def _results_of(
    builders: SplitBuilders, file: str, record: str, annotations: list[Any]
) -> list[Record] | None:
    """Return the results of the annotation to use; None if the task has none.

    Of several, this is the one that is marked as ground truth, or else the one updated last.
    """
    rows = [row for row in annotations if isinstance(row, dict) and not row.get("was_cancelled")]
    rows = [row for row in rows if isinstance(row.get("result"), list)]
    if not rows:
        return None
    if len(rows) > 1:
        builders.note_unused(
            "tasks of which one of several annotations is used", f"{file}: {record}"
        )
    truths = [row for row in rows if row.get("ground_truth")]
    chosen = max(truths or rows, key=lambda row: str(row.get("updated_at") or ""))
    return [row for row in chosen["result"] if isinstance(row, dict)]


def _image_names(task: Record, images: FileIndex) -> list[str]:
    """Return the names of a task's image, those of existing images first."""
    texts = [task.get("file_upload"), *task["data"].values()]
    names = [text for text in texts if isinstance(text, str) and _names_an_image(text)]
    return sorted(names, key=lambda name: not find_image(images, name))


def _names_an_image(text: str) -> bool:
    """Return whether a text ends like an image file, perhaps with a query behind it."""
    endings = (posixpath.splitext(part)[1] for part in (text, text.partition("?")[0]))
    return any(ending.lower() in IMAGE_SUFFIXES for ending in endings)


def _add_result(
    builders: SplitBuilders, builder: Builder, file: str, record: str, image: Record, result: Record
) -> None:
    """Add the label of a result; choices become a field of the image."""
    kind, value = str(result.get("type")), result.get("value")
    value = value if isinstance(value, dict) else {}
    names = value.get(kind)
    if kind not in (*_KINDS, "choices"):
        builders.note_unused(f"results of type {kind}", f"{file}: {record}")
    elif not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        builder.fault(file, record, f"`{kind}`, a list of classes", short_repr(names))
    elif kind == "choices":
        image.setdefault("choices", []).extend(name.strip() for name in names)
    elif len(names) > 1:
        builder.fault(file, record, "one class", short_repr(names))
    elif result.get("image_rotation"):
        turn = short_repr(result["image_rotation"])
        builder.fault(file, record, "an image that was not turned in Label Studio", turn)
    else:
        polygon = _polygon_of(kind, value, image)
        if polygon is None:
            builder.fault(file, record, f"{kind} in percent of the image", short_repr(value))
            return
        fields = other_fields(value, {*_VALUE_KEYS, kind}) | other_fields(result, _RESULT_KEYS)
        builder.add_label(file, record, image, names[0].strip(), **fields | shape_fields([polygon]))


def _polygon_of(kind: str, value: Record, image: Record) -> Polygon | None:
    """Return a shape in pixels; None if it has no area or invalid numbers."""
    across, down = image["width"] / 100, image["height"] / 100
    if kind == "polygonlabels":
        points = polygon_of_points(value.get("points"))
        if points is None or len(points) < 6:
            return None
        return [
            round(number * (down if index % 2 else across), 3)
            for index, number in enumerate(points)
        ]
    keys = ("x", "y", "radiusX", "radiusY") if "ellipse" in kind else ("x", "y", "width", "height")
    numbers = [value.get(key) for key in keys]
    turn = value.get("rotation") or 0
    if not (all(map(is_number, numbers)) and is_number(turn)):
        return None
    x, y, width, height = (
        round(number * scale, 3)
        for number, scale in zip(numbers, (across, down) * 2, strict=True)
        if number is not None
    )
    if "ellipse" in kind:
        return ellipse(x, y, width, height, math.radians(turn))
    # A box is turned around its first corner.
    corners = [round(number, 3) for number in rectangle(x, y, x + width, y + height)]
    return turned(corners, x, y, math.radians(turn))
