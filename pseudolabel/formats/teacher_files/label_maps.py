"""Predictions of pixels: PNGs of class numbers in labels/, and of confidences in confidences/."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudolabel.core.errors import DataError
from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_header import PILLOW_ERRORS
from pseudolabel.formats.label_maps import UNLABELLED, LabelMap
from pseudolabel.formats.teacher_files.base import CLASS_LIST, ClassMap, Source

Finder = Callable[[NDArray[np.int64]], LabelMaps]
_LABELS, _CONFIDENCES = _FOLDERS = "labels", "confidences"
_MODES = {_LABELS: ("1", "L", "P"), _CONFIDENCES: ("L",)}
"""Pillow's names of 1 bit, of grey values, and of indexed colours."""


def read(source: Source) -> Finder:
    """Return a function from ids of images to their label maps.

    Pixels without a label, and those of classes that are left out, have confidence 0.
    """
    names = source.files(_LABELS, ".png")
    if not names:
        source.fault("", f"PNGs in {_LABELS}/ and {_CONFIDENCES}/", "none")
    source.cover((name.removesuffix(".png") for name in names), stems=True)
    stems = {name.removesuffix(".png") for name in names}
    files = {source.covered[stem]: f"{stem}.png" for stem in sorted(stems & set(source.covered))}
    listed = source.class_list()
    if listed is None and source.teacher.classes is None:
        source.fault("", f"the names of the classes, in {CLASS_LIST} or as `classes`", "none")
    numbers: list[str] = []
    for image_id, name in files.items():
        labels, _ = (_read_map(source, folder, name, image_id) for folder in _FOLDERS)
        if labels is not None:
            numbers += [str(number) for number in np.unique(labels) if number != UNLABELLED]
    classes = source.classes(numbers, listed)
    return _finder(source, files, _table(classes))


def _finder(source: Source, files: dict[int, str], table: NDArray[np.uint8]) -> Finder:
    def find(image_ids: NDArray[np.int64]) -> LabelMaps:
        known = [image_id for image_id in image_ids.tolist() if image_id in files]
        found = LabelMaps(np.array(known, np.int64), [], [])
        for image_id in known:
            labels, confidences = (
                _read_map(source, folder, files[image_id], image_id) for folder in _FOLDERS
            )
            if labels is None or confidences is None:
                # The files were sound when they were checked.
                raise DataError(source.faults)
            indices = table[labels]
            labelled = indices != UNLABELLED
            found.labels.append(np.where(labelled, indices, 0).astype(np.uint8))
            found.confidences.append(np.where(labelled, confidences, 0).astype(np.uint8))
        return found

    return find


def _table(classes: ClassMap) -> NDArray[np.uint8]:
    """Return the index of the class of each number in the file; UNLABELLED for none."""
    table = np.full(256, UNLABELLED, np.uint8)
    for text, index in classes.indices.items():
        table[int(text)] = index
    return table


def _read_map(source: Source, folder: str, name: str, image_id: int) -> LabelMap | None:
    """Return the (h, w) values of a PNG; add a fault and return None if they are of no use."""
    record = f"{folder}/{name}"
    size = source.sizes[image_id]
    try:
        with Image.open(
            io.BytesIO(read_content(source.teacher.file / folder / name)), formats=("PNG",)
        ) as image:
            if image.size != size:
                found = "{}x{}".format(*image.size)
                source.fault(record, "the size of its image, {}x{}".format(*size), found)
                return None
            if image.mode not in _MODES[folder]:
                expected = f"a PNG of 8 bits, {' or '.join(_MODES[folder])}"
                source.fault(record, expected, f"mode {image.mode}")
                return None
            return np.array(image, np.uint8)
    except PILLOW_ERRORS as error:
        source.fault(record, "a PNG", str(error) or type(error).__name__)
        return None
