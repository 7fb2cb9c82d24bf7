"""Recognising the format of a source by its files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_files import is_junk, list_images
from pseudolabel.raw.importers.csv_table import CSV_SUFFIXES, list_csv_files
from pseudolabel.raw.importers.masks import IMAGE_FOLDERS, MASK_FOLDERS
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_names import split_of
from pseudolabel.raw.importers.yaml_files import read_yaml

_MOST_FILES = 5
"""Files of one kind that are opened; all files of an export look alike."""


def recognise(source: Path) -> dict[str, str]:
    """Return the formats that a source may have, each with the reason.

    The names are those of the importers. There may be formats without an importer.
    """
    if source.is_file():
        return _recognise_file(source)
    found: dict[str, str] = {}
    for check in _FOLDER_CHECKS:
        found |= check(source)
    return found or _csv(source) or _folders_of_classes(source)


def _recognise_file(path: Path) -> dict[str, str]:
    """Return the formats that a file may have."""
    suffix = path.suffix.lower()
    if suffix in CSV_SUFFIXES:
        return {"csv": f"{path.name} is a CSV"}
    checks = {".json": _json_format, ".xml": _xml_format, ".yaml": _yaml_format}
    checks |= {".yml": _yaml_format, ".data": _darknet_format}
    check = checks.get(suffix)
    return check(path) if check else {}


def _json_format(path: Path) -> dict[str, str]:
    """Return the format of a JSON file."""
    try:
        content = orjson.loads(read_content(path).removeprefix(b"\xef\xbb\xbf"))
    except (OSError, orjson.JSONDecodeError):
        return {}
    for form, (check, why) in _JSON_CHECKS.items():
        if check(content):
            return {form: f"{path.name} has {why}"}
    return {}


def _is_label_studio(content: Any) -> bool:
    """Return whether a JSON value is a list of tasks of Label Studio."""
    rows = content if isinstance(content, list) else []
    return bool(rows) and all(isinstance(task, dict) and "data" in task for task in rows)


def _is_labelme(content: Any) -> bool:
    """Return whether a JSON value is one image of labelme."""
    is_object = isinstance(content, dict) and "imagePath" in content
    return is_object and isinstance(content.get("shapes"), list)


def _is_via(content: Any) -> bool:
    """Return whether a JSON value is a project or an export of VIA."""
    if not isinstance(content, dict) or not content:
        return False
    return "_via_img_metadata" in content or all(map(_is_via_image, content.values()))


def _is_via_image(value: Any) -> bool:
    """Return whether a value is an image of VIA."""
    return isinstance(value, dict) and "filename" in value and "regions" in value


def _is_coco(content: Any) -> bool:
    """Return whether a JSON value has the lists of COCO, or is an object around one that has."""
    if not isinstance(content, dict):
        return False
    return any(
        isinstance(value, dict)
        and (isinstance(value.get("images"), list) or isinstance(value.get("image"), dict))
        and ("annotations" in value or "categories" in value)
        for value in (content, *content.values())
    )


_JSON_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "label-studio": (_is_label_studio, "tasks with `data`"),
    "labelme": (_is_labelme, "`shapes` and `imagePath`"),
    "via": (_is_via, "images with `filename` and `regions`"),
    "coco": (_is_coco, "`images` with `annotations` or `categories`"),
}


def _xml_format(path: Path) -> dict[str, str]:
    """Return the format of an XML file, by its outermost element."""
    try:
        _, root = next(iter(iterparse(io.BytesIO(read_content(path)), events=("start",))))
    except (OSError, ParseError, DefusedXmlException, StopIteration, ValueError):
        return {}
    names = {"annotation": "voc", "annotations": "cvat"}
    form = names.get(root.tag)
    return {form: f"{path.name} begins with <{root.tag}>"} if form else {}


def _yaml_format(path: Path) -> dict[str, str]:
    """Return the format of a YAML file."""
    try:
        content = read_yaml(path)
    except (OSError, ValueError):
        return {}
    is_yolo = isinstance(content, dict) and "names" in content
    return {"yolo": f"{path.name} has `names` of classes"} if is_yolo else {}


def _darknet_format(path: Path) -> dict[str, str]:
    """Return the format of a file such as obj.data."""
    try:
        is_darknet = b"names" in read_content(path)
    except OSError:
        return {}
    return {"yolo": f"{path.name} names the file of the classes"} if is_darknet else {}


def _named_files(source: Path, *patterns: str) -> list[Path]:
    """Return the first files of some patterns, without those that are junk."""
    files = (path for pattern in patterns for path in sorted(source.glob(pattern)))
    return list(islice((path for path in files if not is_junk(path.name)), _MOST_FILES))


def _first_match(paths: list[Path], check: Callable[[Path], dict[str, str]]) -> dict[str, str]:
    """Return what the check finds in the first file in which it finds something."""
    return next(filter(None, map(check, paths)), {})


def _yolo(source: Path) -> dict[str, str]:
    found = _first_match(_named_files(source, "*.yaml", "*.yml"), _yaml_format)
    found = found or _first_match(_named_files(source, "*.data"), _darknet_format)
    if found:
        return found
    names = _named_files(source, "classes.txt", "labels/classes.txt", "obj.names")
    has_labels = any(Path(name).name != "classes.txt" for name in _text_files(source))
    return {"yolo": f"{names[0].name} and label files"} if names and has_labels else {}


def _text_files(source: Path) -> list[str]:
    """Return the text files beside images, or in folders with the name `labels`."""
    stems = {name.rpartition(".")[0] for name in list_images(source)}
    return [
        name
        for name in FileIndex(source, {".txt"}).names
        if "labels" in name.split("/")[:-1] or name.rpartition(".")[0] in stems
    ]


def _xml(source: Path) -> dict[str, str]:
    files = _named_files(source, "*.xml", "Annotations/*.xml", "annotations/*.xml", "*/*.xml")
    return _first_match(files, _xml_format)


def _json(source: Path) -> dict[str, str]:
    """Return the formats of some JSON files in a folder and its subfolders."""
    if (source / "meta.json").is_file() and any(source.glob("**/ann/*.json")):
        return {"supervisely": "meta.json and folders ann/"}
    found: dict[str, str] = {}
    names = FileIndex(source, {".json"}).names
    for name in islice(sorted(names, key=lambda name: name.count("/")), _MOST_FILES):
        found = _json_format(source / name) | found
    return found


def _masks(source: Path) -> dict[str, str]:
    images = next((name for name in IMAGE_FOLDERS if (source / name).is_dir()), None)
    folders = (name for name in MASK_FOLDERS if (source / name).is_dir())
    masks = next((name for name in folders if list_images(source / name)), None)
    if images is None or masks is None:
        return {}
    return {"masks": f"folders {images}/ and {masks}/ with image files"}


_FOLDER_CHECKS = (_yolo, _xml, _json, _masks)


def _csv(source: Path) -> dict[str, str]:
    """Return `csv` if a folder has one CSV file and no other files of labels."""
    files = list_csv_files(source) if source.is_dir() else []
    return _recognise_file(files[0]) if len(files) == 1 else {}


def _folders_of_classes(source: Path) -> dict[str, str]:
    """Return `folders` if all images are in folders of classes, and there are no label files."""
    if not source.is_dir() or FileIndex(source, {".json", ".xml", ".csv", ".txt"}).names:
        return {}
    names = list(_class_folders(list_images(source)))
    known = {*IMAGE_FOLDERS, *MASK_FOLDERS}
    if len(set(names)) < 2 or set(names) & known:
        return {}
    shown = ", ".join(sorted(set(names))[:3])
    return {"folders": f"folders of images, such as {shown}, and no label files"}


def _class_folders(names: list[str]) -> Iterator[str]:
    """Yield the folder of each image that may be its class."""
    for name in names:
        folders = name.split("/")[:-1]
        if folders and split_of(folders[0]):
            folders = folders[1:]
        if folders:
            yield folders[0]
