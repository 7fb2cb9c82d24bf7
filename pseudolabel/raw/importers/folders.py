"""Folders: one folder per class, optionally within folders of splits such as train and val."""

from __future__ import annotations

import unicodedata

from tqdm import tqdm

from pseudolabel.core.errors import Fault
from pseudolabel.formats.image_files import is_junk, list_images
from pseudolabel.raw.importers.base import ImportRequest, ImportResult
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.split_names import SPLITS, split_of

_NO_SPLIT = "images outside the folders of the splits"
_NO_CLASS = "images outside the folders of the classes"
_NO_IMAGES = "folders without images"


def read(request: ImportRequest) -> ImportResult:
    """Return the splits of a folder; the classes are those of the first split, sorted by name.

    A folder with the name of a split is no class, unless the request has a class of this name.
    """
    source, found = request.source, ImportResult()
    folders = _split_folders(request)
    names = list_images(source)
    if not folders:
        found.faults += _find_inner_splits(names)
    images = _images_by_split(names, folders, request.split, found)
    classes = list(request.classes)
    for split, labels in images.items():
        classes = classes or sorted({label for label in labels.values() if label})
        builder = Builder(source, classes)
        for name, label in tqdm(labels.items(), desc=f"reading {split}", mininterval=2):
            image = builder.add_image(split, name)
            if image is not None and label:
                builder.add_label(split, repr(name), image, label)
        found.splits[split] = builder.finished()
        found.faults += builder.faults
    return found


def _split_folders(request: ImportRequest) -> dict[str, str]:
    """Return the split of each folder that has the name of a split."""
    source = request.source
    folders = sorted(path.name for path in source.glob("*") if path.is_dir())
    splits = {name: split_of(name) for name in folders if not is_junk(name)}
    known = set(request.classes)
    return {name: split for name, split in splits.items() if split and name not in known}


def _find_inner_splits(names: list[str]) -> list[Fault]:
    """Return a fault for each folder that has folders of splits in it, and thus is no class."""
    inner: dict[str, set[str]] = {}
    for name in names:
        parts = name.split("/")
        if len(parts) > 2 and split_of(parts[1]):
            inner.setdefault(parts[0], set()).add(parts[1])
    expected = "folders of splits directly in the source"
    return [
        Fault(folder, "", expected, ", ".join(f"{folder}/{name}" for name in sorted(splits)))
        for folder, splits in inner.items()
        if len({split_of(name) for name in splits}) > 1
    ]


def _images_by_split(
    names: list[str], folders: dict[str, str], default: str, found: ImportResult
) -> dict[str, dict[str, str]]:
    """Return the class of each image by split; the images of a pool may have no class.

    Args:
        names: the paths of all images.
        folders: the split of each folder that is a split.
        default: the split of all images, if there are no folders of splits.
        found: the result, to which faults and images without a place are added.
    """
    images: dict[str, dict[str, str]] = {}
    strays: dict[str, list[str]] = {}
    for name in names:
        first, *rest = unicodedata.normalize("NFC", name).split("/")
        split, inner = (folders.get(first), rest) if folders else (default, [first, *rest])
        label = inner[0].strip() if len(inner) > 1 else ""
        if split is None:
            found.unused.setdefault(_NO_SPLIT, []).append(name)
        elif label or split == "pool":
            images.setdefault(split, {})[name] = label
        else:
            strays.setdefault(split, []).append(name)
    for folder, split in (folders or {"the source": default}).items():
        if split in images and split in strays:
            found.unused.setdefault(_NO_CLASS, []).extend(strays.pop(split))
        elif split not in images and (split in strays or split == "gold" or not folders):
            found.faults.append(Fault(folder, "", "one folder of images per class", "none"))
        elif split not in images:
            found.unused.setdefault(_NO_IMAGES, []).append(folder)
    return {split: images[split] for split in SPLITS if split in images}
