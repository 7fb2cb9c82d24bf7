"""Where YOLO data says what its classes and the images of its splits are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.regular_files import read_utf8
from pseudolabel.formats.image_files import list_images
from pseudolabel.raw.importers.base import (
    ImportRequest,
    ImportResult,
    Record,
    compare_classes,
)
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_names import SPLITS, group_by_split, split_of
from pseudolabel.raw.importers.yaml_files import read_yaml
from pseudolabel.raw.importers.yolo_images import NamedImages
from pseudolabel.raw.importers.yolo_names import names_in_text, names_in_yaml

_YAML_SUFFIXES = (".yaml", ".yml")
_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt", "images/classes.txt")
_MISSING = "entries of {file} without images"


@dataclass
class Layout:
    """What to read.

    Attributes:
        folder: the folder of the images.
        labels: the folder in which label files are searched.
        classes: the names of the classes in the order of their numbers.
        names_file: the file that has the names; empty if there is none.
        keypoints: the number of keypoints of an object and of the values of each; None without.
        images: the paths of the images of each split, relative to the folder.
        other_files: text files that are no label files, relative to the folder of labels.
    """

    folder: Path
    labels: Path
    classes: list[str] = field(default_factory=list)
    names_file: str = ""
    keypoints: tuple[int, int] | None = None
    images: dict[str, list[str]] = field(default_factory=dict)
    other_files: set[str] = field(default_factory=set)


def read_layout(request: ImportRequest, found: ImportResult) -> Layout | None:
    """Return the layout of a source; add faults, and what is not used, to the result.

    Classes that were given must be those of the source.
    """
    layout = _find_layout(request, found)
    if layout is None:
        return None
    found.faults += compare_classes(request, layout.classes, layout.names_file)
    if not layout.names_file and request.classes_of_gold:
        names = short_repr(layout.classes)
        found.notes.append(f"class numbers 0, 1, ... to the names of gold: {names}")
    return layout


def _find_layout(request: ImportRequest, found: ImportResult) -> Layout | None:
    """Return the layout of a source; None and a fault if it has no names of classes."""
    source = request.source
    if source.is_file():
        reader = _from_darknet if source.suffix.lower() == ".data" else _from_yaml
        return reader(source, found)
    yaml_file = _only_file(source, "data", *_YAML_SUFFIXES)
    if yaml_file is not None:
        return _from_yaml(yaml_file, found)
    data_file = _only_file(source, "obj", ".data")
    if data_file is not None:
        return _from_darknet(data_file, found)
    names_file = next((name for name in _NAME_FILES if (source / name).is_file()), None)
    if names_file is None and not request.classes:
        expected = "a YAML file, or obj.data, or classes.txt, or `--classes`"
        found.faults.append(Fault("data.yaml", "", expected, "none of them"))
        return None
    return _from_names(request, names_file, found)


def _only_file(folder: Path, stem: str, *suffixes: str) -> Path | None:
    """Return the file of a stem in a folder, or else the only file with one of the suffixes."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in suffixes)
    named = [path for path in files if path.stem.lower() == stem]
    return named[0] if named else files[0] if len(files) == 1 else None


def _from_yaml(path: Path, found: ImportResult) -> Layout:
    """Return the layout in data.yaml."""
    content = _read_yaml(path, found.faults)
    layout = Layout(path.parent, path.parent, names_file=path.name)
    if content is None:
        return layout
    layout.classes = names_in_yaml(content.get("names"), path.name, found.faults)
    layout.keypoints = _keypoint_shape(content.get("kpt_shape"), path.name, found.faults)
    images = NamedImages(path.parent, content.pop("path", None))
    _add_splits(layout, content, images, path.name, found)
    return layout


def _from_darknet(path: Path, found: ImportResult) -> Layout:
    """Return the layout in obj.data, which has a line `key = value` per list and for the names."""
    base = path.parent
    layout = Layout(base, base, names_file=path.name)
    try:
        lines = read_utf8(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        found.faults.append(Fault(path.name, "", "a text file in UTF-8", str(error)))
        return layout
    pairs = (line.partition("=") for line in lines if "=" in line)
    content: Record = {key.strip(): value.strip() for key, _, value in pairs}
    name = str(content.pop("names", "obj.names"))
    files = FileIndex(base, {".names", ".txt"}).find(name)
    if len(files) == 1:
        layout.classes = names_in_text(base / files[0], found.faults)
        layout.other_files.add(files[0])
        layout.names_file = files[0]
    else:
        found.faults.append(Fault(path.name, "names", f"a file {name!r}", f"{len(files)} files"))
    _add_splits(layout, content, NamedImages(base, None), path.name, found)
    return layout


def _from_names(request: ImportRequest, names_file: str | None, found: ImportResult) -> Layout:
    """Return the layout of images and labels without lists: folders may be splits."""
    source = request.source
    layout = Layout(request.images or source, source)
    if names_file is None:
        layout.classes = list(request.classes)
    else:
        layout.classes = names_in_text(source / names_file, found.faults)
        layout.other_files.add(names_file)
        layout.names_file = names_file
    layout.images, others = group_by_split(list_images(layout.folder), request.split)
    if others:
        found.unused["images outside the folders of the splits"] = others
    if not layout.images:
        found.faults.append(Fault(str(layout.folder), "", "images", "none"))
    return layout


def _add_splits(
    layout: Layout, content: Record, images: NamedImages, file: str, found: ImportResult
) -> None:
    """Add the images of each key that means a split; tell which keys are not used."""
    unused = []
    for key, entry in content.items():
        split = split_of(str(key))
        if split is None:
            if images.exists(entry):
                unused.append(f"{key}: {short_repr(entry)}")
        elif entry not in (None, "", []):
            names, missing = images.of_entry(entry)
            if missing and split == "gold":
                expected = f"a folder of images below {layout.folder}, or a list of them"
                found.faults.append(Fault(file, str(key), expected, short_repr(missing)))
            elif missing:
                kind = _MISSING.format(file=file)
                found.unused.setdefault(kind, []).extend(f"{key}: {name}" for name in missing)
            if names:
                known = layout.images.setdefault(split, [])
                known += [name for name in names if name not in set(known)]
    if unused:
        found.unused[f"keys of {file} that are no split"] = unused
    layout.images = {split: layout.images[split] for split in SPLITS if split in layout.images}
    found.faults += images.faults
    layout.other_files |= images.list_files
    if not layout.images and not found.faults:
        found.faults.append(Fault(file, "", "`train`, `val` or `test` with images", "none of them"))


def _read_yaml(path: Path, faults: list[Fault]) -> Record | None:
    """Return the content of data.yaml; add a fault and return None if it is no YAML object."""
    try:
        content = read_yaml(path)
    except (OSError, ValueError) as error:
        faults.append(Fault(path.name, "", "a YAML file", str(error)))
        return None
    if not isinstance(content, dict):
        faults.append(Fault(path.name, "", "a YAML object", type(content).__name__))
        return None
    return content


def _keypoint_shape(shape: Any, file: str, faults: list[Fault]) -> tuple[int, int] | None:
    """Return `kpt_shape` of data.yaml: the number of keypoints and of the values of each."""
    if shape is None:
        return None
    if isinstance(shape, list) and len(shape) == 2 and all(type(side) is int for side in shape):
        count, dimensions = shape
        if count > 0 and dimensions in {2, 3}:
            return count, dimensions
    expected = "a number of keypoints, and 2 or 3 values of each"
    faults.append(Fault(file, "kpt_shape", expected, short_repr(shape)))
    return None
