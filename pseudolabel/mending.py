"""A raw root mended where that is safe, as a new root; the old one is never changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from tqdm import tqdm

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import written_aside
from pseudolabel.formats.images import IMAGES, ImageFacts, look_at
from pseudolabel.formats.segmentations import parse_polygons
from pseudolabel.formats.shapes import is_number
from pseudolabel.masks import areas

SPLITS = ("gold", "val", "test", "pool")

Record = dict[str, Any]
Size = tuple[int, int]


def mend(root: Path, new: Path) -> list[str]:
    """Copy a raw root to a new one with mended COCO files, and return what was done, a line each.

    Mended are widths and heights that are not the file's, and boxes and polygons that leave their
    image (they are clipped); annotations of which nothing is left, or that never had an area, are
    dropped. Nothing else is touched: what is not safe to mend stays a fault.

    Raises:
        DataError: there is no raw root, or the new root is there already or inside the old one.
    """
    if not (root / IMAGES).is_dir():
        raise DataError([Fault(str(root), IMAGES, "a folder of images", "none")])
    if new.exists() or new.resolve().is_relative_to(root.resolve()):
        raise DataError([Fault(str(new), "", "a new folder outside the old one", "another")])
    done: list[str] = []
    with written_aside(new) as aside:
        copy_root(root, aside)
        for split in SPLITS:
            path = aside / f"{split}.json"
            content = read_object(path)
            if content is not None:
                done += [f"{path.name}: {line}" for line in mend_file(content, root / IMAGES)]
                path.write_bytes(orjson.dumps(content))
    return done


def copy_root(root: Path, new: Path) -> None:
    """Copy a raw root; links are copied as links, as they may lead anywhere."""
    files = sum(1 for path in root.rglob("*") if path.is_file())
    with tqdm(total=files, desc="copying", unit="file", mininterval=2) as progress:

        def copy(source: str, target: str) -> str:
            progress.update()
            return shutil.copyfile(source, target, follow_symlinks=False)

        shutil.copytree(root, new, symlinks=True, copy_function=copy)


def read_object(path: Path) -> Record | None:
    """Return the object of a JSON file, None where there is none: that is for the check to tell."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def mend_file(content: Record, folder: Path) -> Iterator[str]:
    """Mend the content of a COCO file in place, and yield what was done."""
    images = [row for row in listed(content, "images") if isinstance(row.get("file_name"), str)]
    names = [row["file_name"] for row in images]
    sizes: dict[int, Size] = {}
    for row, fact in zip(images, look_at(folder, names, "files to mend"), strict=True):
        if not isinstance(fact, ImageFacts):
            continue
        said = row.get("width"), row.get("height")
        if said != (fact.width, fact.height):
            row["width"], row["height"] = fact.width, fact.height
            sides = f"{fact.width}x{fact.height}"
            yield f"image id {row.get('id')}: size {said[0]}x{said[1]} corrected to {sides}"
        if isinstance(row.get("id"), int):
            sizes[row["id"]] = (fact.width, fact.height)
    kept = []
    for row in listed(content, "annotations"):
        image_id = row.get("image_id")
        size = sizes.get(image_id) if isinstance(image_id, int) else None
        record = f"annotation id {row.get('id')}"
        clipped = size is not None and clip(row, size)
        if size is not None and is_empty(row, size):
            yield f"{record}: dropped, nothing of it is inside its image"
            continue
        if clipped:
            yield f"{record}: clipped to its image"
        kept.append(row)
    if isinstance(content.get("annotations"), list):
        strange = [row for row in content["annotations"] if not isinstance(row, dict)]
        content["annotations"] = kept + strange


def listed(content: Record, key: str) -> list[Record]:
    """Return the objects in a list of a file."""
    rows = content.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def are_numbers(values: Any, count: int) -> bool:
    """Return whether a value is a list of so many finite numbers at least."""
    return isinstance(values, list) and len(values) >= count and all(map(is_number, values))


def clip(row: Record, size: Size) -> bool:
    """Clip an annotation's box and polygons to its image in place, and tell whether any changed."""
    width, height = size
    changed = False
    if are_numbers(row.get("bbox"), 4) and len(row["bbox"]) == 4:
        x, y, across, down = row["bbox"]
        left, top = min(max(x, 0), width), min(max(y, 0), height)
        right, bottom = min(max(x + across, 0), width), min(max(y + down, 0), height)
        if across > 0 and down > 0 and [left, top, right, bottom] != [x, y, x + across, y + down]:
            row["bbox"] = [left, top, right - left, bottom - top]
            changed = True
    polygons = row.get("segmentation")
    if isinstance(polygons, list) and all(are_numbers(it, 6) for it in polygons):
        limits = (width, height)
        inside = [
            [min(max(it, 0), limits[place % 2]) for place, it in enumerate(polygon)]
            for polygon in polygons
        ]
        if inside != polygons:
            row["segmentation"] = inside
            changed = True
    return changed


def is_empty(row: Record, size: Size) -> bool:
    """Return whether an annotation's box or its polygons have no area."""
    box, polygons = row.get("bbox"), row.get("segmentation")
    if isinstance(box, list) and are_numbers(box, 4) and min(box[2:4]) <= 0:
        return True
    if polygons == []:
        return box is None
    if not (isinstance(polygons, list) and all(are_numbers(it, 6) for it in polygons)):
        return False
    counts, wrong = parse_polygons(polygons, size)
    width, height = size
    return wrong is None and not areas([counts], height, width)[0]
