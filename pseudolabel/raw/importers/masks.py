"""Masks: a folder of images, and a folder of masks with one file per image.

The pixels of a mask are class numbers, or colours that `--colours` or labelmap.txt names. Masks are
written as grey PNG.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tqdm import tqdm

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import describe_outside, path_inside
from pseudolabel.formats.image_files import list_images
from pseudolabel.formats.label_maps import LABEL_MAPS, UNLABELLED
from pseudolabel.raw.importers.base import (
    ImportRequest,
    ImportResult,
    MapSource,
    folder_inside,
    images_folder,
    read_lines,
)
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.mask_classes import read_classes
from pseudolabel.raw.importers.mask_files import MASK_SUFFIXES, MaskReader
from pseudolabel.raw.importers.source_files import FileIndex, pair_files
from pseudolabel.raw.importers.split_names import SPLITS, group_by_split, split_of

IMAGE_FOLDERS = ("images", "JPEGImages", "img_dir")
"""The folders of images in common layouts."""
MASK_FOLDERS = (LABEL_MAPS, "SegmentationClass", "ann_dir", "annotations", "labels")
"""The folders of masks in common layouts, such as that of Pascal VOC."""
_OBJECT_FOLDERS = ("SegmentationObject", "instances")
"""The folders of masks that number the objects instead of the classes."""
_SETS = "ImageSets/Segmentation"
_DOUBTFUL = f"masks in which all pixels but those of 0 are {UNLABELLED}, taken as unlabelled"


def read(request: ImportRequest) -> ImportResult:
    """Return the images that have a mask, by the splits of their folders or of ImageSets."""
    found = ImportResult()
    classes, colours = read_classes(request, found.faults)
    if found.faults:
        return found
    folder = images_folder(request, *IMAGE_FOLDERS)
    masks = folder_inside(request.source, *MASK_FOLDERS)
    if masks is None:
        found.faults.append(Fault(str(request.source), LABEL_MAPS, "a folder of masks", "none"))
        return found
    others = {request.source / name for name in (*MASK_FOLDERS, *_OBJECT_FOLDERS)}
    names = [name for name in list_images(folder) if others.isdisjoint((folder / name).parents)]
    pairs = pair_files(names, FileIndex(masks, MASK_SUFFIXES), lambda name: [_stem(name)])
    for file, images in pairs.shared.items():
        expected = "one image of this name"
        found.faults.append(Fault(file, "", expected, f"{len(images)}, such as {images[0]!r}"))
    reader = MaskReader(len(classes), colours, request.ignore_zero)
    for split, images in _images_by_split(request, names, found).items():
        paired = {name: pairs.files[name] for name in images if name in pairs.files}
        _add_split(found, split, folder, masks, paired, reader, classes)
        without = [name for name in images if name not in paired]
        found.add_unlabelled("images without a mask", folder, without)
    if pairs.unused:
        found.unused["masks without an image"] = pairs.unused
    if not pairs.files:
        expected = "masks with the names of the images"
        found.faults.append(Fault(str(request.source), masks.name, expected, "none"))
    found.faults += reader.faults(masks.name)
    if reader.doubtful:
        found.unused[_DOUBTFUL] = reader.doubtful
    return found


def _add_split(
    found: ImportResult,
    split: str,
    folder: Path,
    masks: Path,
    paired: dict[str, str],
    reader: MaskReader,
    classes: list[str],
) -> None:
    """Add a split of images and their masks; a mask has the size of its image."""
    builder = Builder(folder)
    for name, mask in tqdm(paired.items(), desc=f"reading {split}", unit="img", mininterval=2):
        image = builder.add_image(masks.name, name)
        if path_inside(masks, mask) is None:
            builder.fault(mask, "", f"a path inside {masks.name}/", describe_outside(masks, mask))
            continue
        if image is None:
            continue
        try:
            (height, width), numbers = reader.survey(mask, masks / mask)
        except DataError as error:
            builder.faults += [Fault(mask, "", row.expected, row.found) for row in error.faults]
            continue
        if (height, width) != (image["height"], image["width"]):
            expected = f"the size of its image, {image['width']}x{image['height']}"
            builder.fault(mask, "", expected, f"{width}x{height}")
        target = f"{_stem(name)}.png"
        ids = {number: number for number in numbers}
        builder.split.maps[target] = MapSource(masks / mask, reader.read, ids)
    found.splits[split] = builder.finished()
    found.splits[split].content["categories"] = [
        {"id": number, "name": name} for number, name in enumerate(classes)
    ]
    found.faults += builder.faults


def _images_by_split(
    request: ImportRequest, names: list[str], found: ImportResult
) -> dict[str, list[str]]:
    """Return the images by the sets of ImageSets/Segmentation, or else by their folders."""
    sets = {path.stem.lower(): path for path in sorted((request.source / _SETS).glob("*.txt"))}
    if "train" in sets:
        sets.pop("trainval", None)
    stems_of: dict[str, set[str]] = {}
    for stem, path in sets.items():
        split = split_of(stem)
        if split is not None:
            lines = read_lines(path, found.faults)
            stems_of.setdefault(split, set()).update(line.strip() for line in lines)
    if not stems_of:
        groups, others = group_by_split(names, request.split)
    else:
        groups = {
            split: [name for name in names if _stem(name) in stems_of[split]]
            for split in SPLITS
            if split in stems_of
        }
        listed = {name for group in groups.values() for name in group}
        others = [name for name in names if name not in listed]
    if others:
        found.unused["images outside the splits"] = others
    return groups


def _stem(name: str) -> str:
    """Return a path without its suffix."""
    return PurePosixPath(name).with_suffix("").as_posix()
