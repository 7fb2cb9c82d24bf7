"""COCO files of a source: which of its JSON files have labels, and of which split they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from pseudolabel.core.errors import Fault
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.json_values import read_json
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_names import split_of, split_within

_LISTS = ("images", "categories", "annotations")
_OTHER_LABELS = {"keypoints", "captions", "stuff", "panoptic"}
"""Words in names of COCO files whose labels are neither boxes nor masks of single objects."""


@dataclass
class CocoFile:
    """One COCO file.

    Attributes:
        label: its path relative to the source.
        content: its content, with the three lists.
        split: the split of its labels.
    """

    label: str
    content: Record
    split: str


def read_coco_files(request: ImportRequest, found: ImportResult) -> list[CocoFile]:
    """Return the COCO files of a source with their splits; faults are added to the result."""
    source = request.source
    if source.is_file() or not source.exists():
        content = _read_file(source, source.name, found)
        if content is None:
            if not found.faults:
                found.faults.append(Fault(source.name, "", "a COCO file", "other JSON"))
            return []
        file = CocoFile(source.name, content, request.split)
        _use_as_pool(file, found)
        return [file] if _has_lists(file, found) else []
    files = []
    for name in tqdm(_label_files(source, found), desc="reading", unit="file", mininterval=2):
        content = _read_file(source / name, name, found)
        if content is not None:
            files.append(CocoFile(name, content, request.split))
    if not files and not found.faults:
        found.faults.append(Fault(str(source), "", "COCO files", "none"))
    _assign_splits(files, request, found)
    for file in files:
        _use_as_pool(file, found)
    return [file for file in files if _has_lists(file, found)]


def _label_files(source: Path, found: ImportResult) -> list[str]:
    """Return the JSON files of a folder; keypoints and captions beside others are not used."""
    names = FileIndex(source, {".json"}).names
    used = [name for name in names if not _has_other_labels(PurePosixPath(name).stem)]
    if used and len(used) < len(names):
        found.unused["COCO files of other labels"] = sorted(set(names) - set(used))
    return used or names


def _has_other_labels(name: str) -> bool:
    """Return whether a file has labels of another kind, or none: `image_info_test2017`."""
    without_labels = "image_info" in name.lower() and split_within(name) != "pool"
    return without_labels or bool(_OTHER_LABELS & set(_words(name)))


def _words(name: str) -> list[str]:
    """Return the words of a name, in lower case."""
    return re.findall(r"[^\W\d_]+", name.lower())


def _read_file(path: Path, label: str, found: ImportResult) -> Record | None:
    """Return the content of a COCO file; it may be the only COCO object in an outer object."""
    content = read_json(path, label, found.faults)
    if isinstance(content, dict) and "annotations" not in content:
        values = content.values()
        inner = [value for value in values if isinstance(value, dict) and "annotations" in value]
        content = inner[0] if len(inner) == 1 else content
    if not isinstance(content, dict):
        if content is not None:
            found.faults.append(Fault(label, "", "a JSON object", type(content).__name__))
        return None
    if "images" not in content and isinstance(content.get("image"), dict):
        content = content | {"images": [content["image"]]}
        content.pop("image")
    if not {"images", "annotations"} & set(content):
        found.unused.setdefault("JSON files that are not COCO", []).append(label)
        return None
    return content


def _assign_splits(files: list[CocoFile], request: ImportRequest, found: ImportResult) -> None:
    """Set the splits that names of files and folders tell; add a fault if they tell too little.

    If no name tells a split, files of one image each are one split. Files of several images are
    not: they may be the splits of a data set.
    """
    if len(files) == 1 and request.split != "gold":
        return
    several = any(_image_count(file) > 1 for file in files)
    told = [_told_split(file.label, several, request.class_from_folder) for file in files]
    if not several and not any(told):
        return
    for file, split in zip(files, told, strict=True):
        file.split = split or file.split
        if split is None and len(files) > 1:
            expected = (
                "a name or a folder that tells its split, such as train_1.json or val/1.json, "
                "or an import of this file alone with --split"
            )
            count = _image_count(file)
            found.faults.append(Fault(file.label, "", expected, f"{count:,} images"))


def _image_count(file: CocoFile) -> int:
    """Return the number of images in a COCO file."""
    images = file.content.get("images")
    return len(images) if isinstance(images, list) else 0


def _told_split(label: str, several: bool, class_from_folder: bool) -> str | None:
    """Return the split that the name of a file or the nearest of its folders tells.

    Args:
        label: path of the file.
        several: whether files have several images. If not, a file is named after its image, and a
            word in its name does not tell a split.
        class_from_folder: whether the last folder is the name of a class.
    """
    path = PurePosixPath(label)
    folders = path.parts[:-1][:-1] if class_from_folder else path.parts[:-1]
    own = split_within(path.stem) if several else split_of(path.stem)
    tell = split_within if several else _split_of_word
    return own or next((split for name in reversed(folders) if (split := tell(name))), None)


def _split_of_word(name: str) -> str | None:
    """Return the split that a name tells by its only word, as in `1.Training` and `val2017`."""
    words = _words(name)
    return split_of(words[0]) if len(words) == 1 else None


def _use_as_pool(file: CocoFile, found: ImportResult) -> None:
    """Give a file of the pool empty lists if it has no categories or annotations."""
    if file.split == "pool":
        file.content = {"categories": [], "annotations": []} | file.content
    elif "annotations" not in file.content:
        expected = "a list of objects; a file without labels is imported with --split pool"
        found.faults.append(Fault(file.label, "annotations", expected, "none"))


def _has_lists(file: CocoFile, found: ImportResult) -> bool:
    """Return whether a file has the lists of COCO; add a fault for each missing one."""
    content: Record = {"categories": []} | file.content
    wrong = [key for key in _LISTS if not _is_rows(content.get(key)) and key in content]
    missing = [key for key in ("images",) if key not in content]
    for key in (*wrong, *missing):
        kind = type(content.get(key)).__name__
        found.faults.append(Fault(file.label, key, "a list of objects", kind))
    file.content = content
    return not wrong and not missing and "annotations" in content


def _is_rows(value: object) -> bool:
    """Return whether a value is a list of objects."""
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)
