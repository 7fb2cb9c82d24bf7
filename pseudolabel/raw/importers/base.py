"""The input and output of every importer, and helpers for all formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.files import path_inside
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.label_maps import UNLABELLED, LabelMap

Record = dict[str, Any]


@dataclass(frozen=True)
class ImportRequest:
    """The data to import.

    Attributes:
        source: the folder or file.
        split: the split of the labels if the format has no splits: gold, val, test or pool.
        images: the folder of images; None if the format defines the folder.
        classes: names of the classes in the order of their numbers, if the format has no names.
        class_from_folder: the class of a label is the name of the folder of its file; the class in
            the file is ignored.
        negatives: images without a label file have no objects, instead of being unlabelled.
        colours: the colours of the classes in masks, as #rrggbb in the order of the classes.
        ignore_zero: pixels of 0 in masks are unlabelled, and the classes are counted from 1.
        classes_of_gold: `classes` are those of the root's gold, because none were given.
    """

    source: Path
    split: str
    images: Path | None = None
    classes: tuple[str, ...] = ()
    class_from_folder: bool = False
    negatives: bool = False
    colours: tuple[str, ...] = ()
    ignore_zero: bool = False
    classes_of_gold: bool = False


@dataclass(frozen=True)
class MapSource:
    """The label map of an image, read from a mask file when it is written.

    Attributes:
        path: the mask file.
        read: returns the number of each pixel's class, with UNLABELLED for pixels without one.
        ids: the category id of each class number in the file.
    """

    path: Path
    read: Callable[[Path], LabelMap]
    ids: Mapping[int, int]

    def pixels(self) -> LabelMap:
        """Return the category id of each pixel.

        Raises:
            DataError: the file cannot be read any more.
        """
        table = np.full(UNLABELLED + 1, UNLABELLED, np.uint8)
        for number, category_id in self.ids.items():
            table[number] = category_id
        return table[self.read(self.path)]


@dataclass
class ImportedSplit:
    """One split to write.

    Attributes:
        files: the source file of each name in images/.
        maps: the source of each name in masks/.
        content: the COCO file: images, categories, annotations and all other fields.
    """

    files: dict[str, Path] = field(default_factory=dict)
    maps: dict[str, MapSource] = field(default_factory=dict)
    content: Record = field(default_factory=dict)


@dataclass
class ImportResult:
    """The outcome of reading a source.

    Attributes:
        splits: the splits by name.
        faults: every fault found.
        unused: what was seen in the source and is in no split: names by kind, such as the label
            files that no image took. The user sees each kind with a count and some names.
        unlabelled: the source file of each unused name that is an image without labels. It is
            copied to images/, so that it becomes part of the pool.
        notes: what was changed on the way, such as ids: one line each. The user sees them.
    """

    splits: dict[str, ImportedSplit] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unused: dict[str, list[str]] = field(default_factory=dict)
    unlabelled: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add_unlabelled(self, kind: str, folder: Path, names: Sequence[str]) -> None:
        """Add images without labels, whose names are relative to a folder.

        Args:
            kind: why they have no labels, for the user.
            folder: the folder of the images.
            names: their names.
        """
        if names:
            self.unused.setdefault(kind, []).extend(names)
            self.unlabelled |= {name: folder / name for name in names}


Reader = Callable[[ImportRequest], ImportResult]


def compare_classes(request: ImportRequest, names: list[str], file: str) -> list[Fault]:
    """Return a fault if the classes that were given are not those of the data.

    Args:
        request: the request.
        names: the names of the classes in the data.
        file: the file that has the names.
    """
    given = [] if request.classes_of_gold else list(request.classes)
    if not names or not given or given == names:
        return []
    expected = f"the classes of `--classes`, {short_repr(given)}"
    return [Fault(file, "names", expected, short_repr(names))]


def images_folder(request: ImportRequest, *candidates: str) -> Path:
    """Return the requested folder of images, or the first existing candidate."""
    if request.images is not None:
        return request.images
    base = request.source if request.source.is_dir() else request.source.parent
    return folder_inside(base, *candidates) or base


def folder_inside(base: Path, *candidates: str) -> Path | None:
    """Return the first candidate that is a folder in `base`, and no link that leads out of it."""
    found = (path_inside(base, name) for name in candidates)
    return next((path for path in found if path is not None and path.is_dir()), None)


def read_lines(path: Path, faults: list[Fault]) -> list[str]:
    """Return the lines of a list of images; add a fault if the file cannot be read."""
    try:
        text = read_content(path).decode("utf-8-sig", errors="replace")
    except OSError as error:
        faults.append(Fault(path.name, "", "a text file", str(error)))
        return []
    return text.splitlines()


def box_around(polygons: Sequence[Sequence[float]]) -> list[float]:
    """Return x, y, width and height of the box around polygons of x, y, x, y, ..."""
    x = [value for polygon in polygons for value in polygon[::2]]
    y = [value for polygon in polygons for value in polygon[1::2]]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def existing_path_inside(folder: Path, name: str) -> Path | None:
    """Return folder/name; None if the path leads out of the folder or does not exist."""
    path = path_inside(folder, name)
    try:
        return path if path is not None and path.exists() else None
    except OSError:
        # The name is too long for a path: it is another kind of text.
        return None
