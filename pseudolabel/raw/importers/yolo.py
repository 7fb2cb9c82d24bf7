"""YOLO: folders or lists of images, and one text file of labels per image.

data.yaml, obj.data (darknet) or classes.txt has the names of the classes.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_utf8
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.source_files import FileIndex, Pairs, pair_files
from pseudolabel.raw.importers.yolo_layouts import Layout, read_layout
from pseudolabel.raw.importers.yolo_lines import LineError, parse_line

_NO_LABELS = "images without a label file (`--negatives` takes them as images without objects)"
_NO_IMAGE = "label files without an image"


def read(request: ImportRequest) -> ImportResult:
    """Return the splits of a YOLO data set; `train` becomes gold."""
    found = ImportResult()
    layout = read_layout(request, found)
    if found.faults or layout is None:
        return found
    names = list(dict.fromkeys(name for names in layout.images.values() for name in names))
    pairs = pair_files(names, FileIndex(layout.labels, {".txt"}), _label_places)
    for file, images in pairs.shared.items():
        images_found = f"{len(images)} images that could have it, such as {images[0]!r}"
        found.faults.append(Fault(file, "", "one image of this name", images_found))
    for split, images in layout.images.items():
        builder = _read_split(layout, split, images, pairs, request.negatives, found)
        found.splits[split] = builder.finished()
        found.faults += builder.faults
    strays = [name for name in pairs.unused if not _is_other_text(layout, name)]
    if strays:
        found.unused[_NO_IMAGE] = strays
    return found


def _read_split(
    layout: Layout, split: str, names: list[str], pairs: Pairs, negatives: bool, found: ImportResult
) -> Builder:
    """Return the images of a split with their labels; a pool needs no labels."""
    builder = Builder(layout.folder, layout.classes)
    if split != "pool" and not any(name in pairs.files for name in names):
        expected = f"label files of images, such as {_label_places(names[0])[0]}.txt"
        builder.fault(split, f"{len(names):,} images", expected, "none")
        return builder
    for name in tqdm(names, desc=f"reading {split}", unit="img", mininterval=2):
        label_file = pairs.files.get(name)
        if label_file is None and not negatives and split != "pool":
            found.add_unlabelled(_NO_LABELS, layout.folder, [name])
            continue
        image = builder.add_image(split, name)
        if image is not None and label_file is not None:
            _add_labels(builder, layout, image, label_file)
    return builder


def _add_labels(builder: Builder, layout: Layout, image: Record, file: str) -> None:
    """Add the labels of a label file; an empty file means that there are no objects."""
    try:
        lines = read_utf8(layout.labels / file).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        builder.fault(file, "", "a text file in UTF-8", str(error))
        return
    size = (image["width"], image["height"])
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = f"line {number}"
        try:
            class_index, fields = parse_line(
                line.split(), size, len(layout.classes), layout.keypoints
            )
        except LineError as error:
            builder.fault(file, record, error.expected, error.found)
        else:
            builder.add_label(file, record, image, layout.classes[class_index], **fields)


def _label_places(name: str) -> list[str]:
    """Return where the label file of an image may be, without its suffix.

    The last folder `images` of the path becomes `labels`; or the file lies beside the image.
    """
    beside = name.rpartition(".")[0]
    *folders, stem = beside.split("/")
    if "images" not in folders:
        return [beside]
    last = len(folders) - 1 - folders[::-1].index("images")
    return ["/".join([*folders[:last], "labels", *folders[last + 1 :], stem]), beside]


def _is_other_text(layout: Layout, name: str) -> bool:
    """Return whether a text file is not for labels: a list of images or classes, or a README."""
    return name in layout.other_files or Path(name).name.lower().startswith("readme")
