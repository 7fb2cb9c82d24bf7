"""Pascal VOC: one XML file per image, in Annotations/ beside JPEGImages/.

Pixels are counted from 1, and the corner pixels belong to the box. Therefore the left edge of a box
is xmin - 1, and the right edge is xmax.
"""

from __future__ import annotations

import math
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from tqdm import tqdm

from pseudolabel.core.errors import Fault
from pseudolabel.formats.image_files import IMAGE_SUFFIXES
from pseudolabel.raw.importers.base import (
    ImportRequest,
    ImportResult,
    Record,
    images_folder,
    read_lines,
)
from pseudolabel.raw.importers.image_search import add_found_image
from pseudolabel.raw.importers.json_values import other_fields, size_of
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_builders import SplitBuilders, splits_of_folders
from pseudolabel.raw.importers.split_names import split_of
from pseudolabel.raw.importers.xml_files import read_xml, xml_value

_SETS = "ImageSets/Main"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_XML = {".xml"}


def read(request: ImportRequest) -> ImportResult:
    """Return the splits of ImageSets/Main or of folders, or all images as one split."""
    source, found = request.source, ImportResult()
    folder = source / "Annotations" if (source / "Annotations").is_dir() else source
    labels = FileIndex(folder, _XML)
    roots = dict(_read_roots(labels, found))
    if not roots and not found.faults:
        found.faults.append(Fault(str(source), "Annotations", "XML files", "none"))
    splits = _splits_of_sets(source, labels, found) or splits_of_folders(
        list(roots), request.split, found
    )
    names = request.classes or sorted({name for root in roots.values() for name in _names_in(root)})
    images = FileIndex(images_folder(request, "JPEGImages", "images"))
    builders = SplitBuilders(images, names, open_classes=False)
    for label, split in tqdm(splits.items(), desc="reading", unit="img", mininterval=2):
        if label in roots:
            _add_image(builders, split, label, roots[label])
    for label in roots:
        if label not in splits:
            builders.note_unused("XML files that no set names", label)
    builders.finish(found)
    return found


def _read_roots(labels: FileIndex, found: ImportResult) -> Iterator[tuple[str, Element]]:
    """Yield the XML files of Pascal VOC with their root elements."""
    for label in labels.names:
        root = read_xml(labels.folder / label, label, found.faults)
        if root is None:
            continue
        if root.tag == "annotation":
            yield label, root
        else:
            found.unused.setdefault("XML files of another format", []).append(label)


def _splits_of_sets(source: Path, labels: FileIndex, found: ImportResult) -> dict[str, str]:
    """Return the split of each XML file that a set names.

    trainval.txt is gold if there is no train.txt, without the images of val and test.
    """
    files = FileIndex(source / _SETS, {".txt"})
    stems = {PurePosixPath(name).stem.lower(): name for name in files.names}
    if "train" in stems:
        stems.pop("trainval", None)
    by_split = defaultdict(list)
    for stem, name in stems.items():
        split = split_of(stem)
        if split is not None:
            by_split[split].append(name)
    used = {name for names in by_split.values() for name in names}
    unused = [name for name in files.names if name not in used]
    if unused:
        found.unused["files of ImageSets/Main"] = unused
    splits: dict[str, str] = {}
    for split in ("val", "test", "pool", "gold"):
        for name in by_split[split]:
            trainval = PurePosixPath(name).stem.lower() == "trainval"
            for label in _labels_in(files.folder / name, labels, found):
                other = splits.get(label, split)
                if other == split:
                    splits[label] = split
                elif not trainval:
                    record = f"image {PurePosixPath(label).stem!r}"
                    expected = "an image of one split"
                    found.faults.append(Fault(f"{_SETS}/{name}", record, expected, f"{other}, too"))
    return splits


def _labels_in(path: Path, labels: FileIndex, found: ImportResult) -> Iterator[str]:
    """Yield the XML files of the images in a set file, one per line, as a name or a path."""
    for line in read_lines(path, found.faults):
        if not line.strip():
            continue
        matches: list[str] = []
        for name in (line.strip(), line.split()[0]):
            stem, suffix = posixpath.splitext(name)
            matches = labels.find_stem(stem if suffix.lower() in IMAGE_SUFFIXES else name)
            if matches:
                break
        if len(matches) == 1:
            yield matches[0]
        else:
            record, count = repr(line.strip()), f"{len(matches)} XML files" if matches else "none"
            found.faults.append(Fault(f"{_SETS}/{path.name}", record, "an XML file", count))


def _names_in(root: Element) -> list[str]:
    """Return the class names of an image's objects."""
    names = [item.findtext("name", "").strip() for item in root.findall("object")]
    return [name for name in names if name]


def _add_image(builders: SplitBuilders, split: str, file: str, root: Element) -> None:
    """Add an image with its objects."""
    builder, images = builders.of(split), builders.images
    stated = (root.findtext("filename") or "").strip()
    # The stated name is often that of another tool. Then the image has the name of the XML file.
    stem = file.rpartition(".")[0]
    same = images.find_stem(stem)
    names = [name for name in (stated, same[0] if len(same) == 1 else f"{stem}.jpg") if name]
    size = size_of(root.findtext("size/width"), root.findtext("size/height"))
    image = add_found_image(builder, images, file, names, size)
    if image is None:
        return
    for number, item in enumerate(root.findall("object"), start=1):
        record = f"object {number}"
        for tag in sorted({child.tag for child in item if len(child) and child.tag != "bndbox"}):
            builders.note_unused(f"<{tag}> of objects", f"{file}: {record}")
        corners = [item.findtext(f"bndbox/{corner}", "") for corner in _CORNERS]
        box = _box_of(corners)
        if box is None:
            builder.fault(file, record, "a bndbox of 4 numbers", ", ".join(corners))
            continue
        name = item.findtext("name", "").strip()
        builder.add_label(file, record, image, name, bbox=box, **_fields_of(item))


def _box_of(corners: list[str]) -> list[float] | None:
    """Return the box between corners that are counted from 1; None if they are no numbers.

    Swapped corners are turned round.
    """
    try:
        x1, y1, x2, y2 = (float(corner) for corner in corners)
    except ValueError:
        return None
    left, right = sorted((x1, x2))
    top, bottom = sorted((y1, y2))
    box = [left - 1, top - 1, right - left + 1, bottom - top + 1]
    return box if all(map(math.isfinite, box)) else None


def _fields_of(item: Element) -> Record:
    """Return the other fields of an object, such as `difficult`; whole numbers as int."""
    texts = {child.tag: (child.text or "").strip() for child in item if not len(child)}
    fields = {tag: xml_value(text) for tag, text in texts.items()}
    return other_fields(fields, ())
