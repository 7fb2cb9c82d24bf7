"""COCO: one file, or a folder of files: one per split, or one per image.

All fields are kept: scores, crowd flags, unknown fields of images, annotations and categories. If a
split is a single file, it also keeps its ids and its fields beside the three lists.
"""

from __future__ import annotations

from collections import defaultdict

from pseudolabel.formats.coco_annotations import check_pixels
from pseudolabel.raw.importers.base import ImportedSplit, ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.coco_files import CocoFile, read_coco_files
from pseudolabel.raw.importers.coco_images import place_images
from pseudolabel.raw.importers.coco_merge import Merger
from pseudolabel.raw.importers.coco_rows import (
    content_with_ids,
    drop_unused_doubles,
)


def read(request: ImportRequest) -> ImportResult:
    """Return the split in a COCO file, or the splits in a folder and its subfolders."""
    found = ImportResult()
    files = read_coco_files(request, found)
    if not files:
        return found
    image_files = place_images(files, request, found)
    by_split: dict[str, list[CocoFile]] = defaultdict(list)
    for file in files:
        drop_unused_doubles(file, found)
        found.faults += check_pixels(file.content["annotations"], file.label)
        by_split[file.split].append(file)
    for split, content in _contents(by_split, request, found).items():
        found.splits[split] = ImportedSplit(files=image_files[split], content=content)
    return found


def _contents(
    by_split: dict[str, list[CocoFile]], request: ImportRequest, found: ImportResult
) -> dict[str, Record]:
    """Return the content of each split: that of its only file, or of all its files merged."""
    contents: dict[str, Record] = {}
    mergers: dict[str, Merger] = {}
    categories: dict[str, Record] = {}
    for split, files in by_split.items():
        if len(files) == 1 and not request.class_from_folder:
            contents[split] = content_with_ids(files[0], found)
            continue
        mergers[split] = Merger(request.class_from_folder, categories)
        for file in files:
            mergers[split].add(file)
        found.faults += mergers[split].faults
    return contents | {split: merger.finished() for split, merger in mergers.items()}
