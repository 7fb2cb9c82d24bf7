"""YOLO: data.yaml, folders of images, and a text file of labels for each image.

A line is a class and a box (centre and sides as shares of the image), or a class and a polygon;
a number too many at its end is the score.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from pseudolabel.errors import Fault, shown
from pseudolabel.formats.images import images_below
from pseudolabel.imports.source import Builder, Found, Record, Request, box_around, safe

SPLITS = {"train": "gold", "val": "val", "valid": "val", "test": "test"}


def read(request: Request) -> Found:
    """Return the splits that a data.yaml names: train becomes gold."""
    source = request.source
    path = source / "data.yaml" if source.is_dir() else source
    found = Found()
    content = read_yaml(path, found.faults)
    classes = class_names(content, path.name, found.faults)
    for key, split in SPLITS.items():
        entry = content.get(key)
        if entry is None:
            continue
        folder = folder_of(path.parent, content.get("path"), entry)
        if folder is None:
            expected = f"a folder of images below {path.parent}"
            found.faults.append(Fault(path.name, key, expected, shown(entry)))
            continue
        builder = read_split(path.parent, folder, classes)
        found.splits[split] = builder.finished()
        found.faults += builder.faults
    if not found.splits and not found.faults:
        found.faults.append(Fault(path.name, "", "`train`, `val` or `test`", "none of them"))
    return found


def read_yaml(path: Path, faults: list[Fault]) -> Record:
    """Return the content of data.yaml, nothing with a fault where it is no YAML object."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        faults.append(Fault(path.name, "", "a YAML file", str(error).splitlines()[0]))
        return {}
    if not isinstance(content, dict):
        faults.append(Fault(path.name, "", "a YAML object", type(content).__name__))
        return {}
    return content


def class_names(content: Record, file: str, faults: list[Fault]) -> list[str]:
    """Return the names of the classes, in the order of their numbers."""
    names: Any = content.get("names")
    if isinstance(names, dict):
        if set(names) == set(range(len(names))):
            return [str(names[number]) for number in range(len(names))]
    elif isinstance(names, list):
        return [str(name) for name in names]
    faults.append(Fault(file, "names", "names of classes 0, 1, ...", shown(names)))
    return []


def folder_of(base: Path, root: Any, entry: Any) -> Path | None:
    """Return the image folder that an entry of data.yaml names, None where it is not below base.

    Exports are moved about, so that `path` and a leading `../` often lead nowhere: the entry is
    looked for below them, and below the folder of data.yaml.
    """
    if not isinstance(entry, str):
        return None
    prefixes = [root] if isinstance(root, str) else []
    entries = [entry, entry.removeprefix("../")]
    names = [f"{it}/{name}" for it in prefixes for name in entries] + entries
    if Path(entry).is_absolute() or any(Path(it).is_absolute() for it in prefixes):
        whole = Path(entry) if Path(entry).is_absolute() else Path(root) / entry
        if whole.is_relative_to(base.absolute()):
            names.append(str(whole.relative_to(base.absolute())))
    found = (safe(base, name) for name in names)
    return next((path for path in found if path is not None and path.is_dir()), None)


def read_split(base: Path, folder: Path, classes: list[str]) -> Builder:
    """Return one split, its image names relative to the folder of data.yaml."""
    builder = Builder(base, classes)
    names = [f"{folder.relative_to(base).as_posix()}/{name}" for name in images_below(folder)]
    for name in tqdm(names, desc=f"reading {folder.name}", unit="img", mininterval=2):
        image = builder.add_image(folder.name, name)
        if image is None:
            continue
        label_name = labels_of(name)
        path = safe(base, label_name)
        if path is None:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            builder.fault(label_name, "", "a text file in UTF-8", str(error))
            continue
        for number, line in enumerate(lines, start=1):
            if line.strip():
                add_line(builder, label_name, f"line {number}", image, line.split())
    return builder


def labels_of(name: str) -> str:
    """Return the label file of an image: its last folder `images` is `labels` there."""
    head, found, tail = name.rpartition("images/")
    stem = (f"{head}labels/{tail}" if found else name).rpartition(".")[0]
    return f"{stem}.txt"


def add_line(builder: Builder, file: str, record: str, image: Record, parts: list[str]) -> None:
    """Add the label of one line."""
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) < 5 or not all(map(math.isfinite, numbers)):
        builder.fault(file, record, "a class and 4 numbers or more", " ".join(parts)[:60])
        return
    position, values = numbers[0], numbers[1:]
    if position != int(position) or not 0 <= position < len(builder.classes):
        expected = f"a class from 0 to {len(builder.classes) - 1}"
        builder.fault(file, record, expected, parts[0])
        return
    fields: Record = {}
    # Both a box and a polygon are an even count of numbers.
    if len(values) % 2:
        fields["score"] = values.pop()
    width, height = image["width"], image["height"]
    if len(values) == 4:
        x, y, across, down = values
        box = [(x - across / 2) * width, (y - down / 2) * height, across * width, down * height]
        fields["bbox"] = rounded(box)
    else:
        sides = (width, height)
        polygon = rounded([it * sides[place % 2] for place, it in enumerate(values)])
        fields |= {"segmentation": [polygon], "bbox": rounded(box_around([polygon]))}
    name = builder.classes[int(position)]
    builder.add_label(file, record, image, name, **fields)


def rounded(values: list[float]) -> list[float]:
    """Return numbers of pixels to a thousandth."""
    return [round(it, 3) for it in values]
