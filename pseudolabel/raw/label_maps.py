"""Label maps of a raw root: PNGs with one class per pixel, 255 for pixels without a label.

In a raw root a pixel holds the id of its category; in the pipeline, the index of its class.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import describe_outside, path_inside
from pseudolabel.core.records import GOLD_ROUND, Annotations, Category, Dataset, category_ids_of
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.formats.image_header import IMAGE_FORMATS, PILLOW_ERRORS
from pseudolabel.formats.label_maps import (
    LABEL_MAPS,
    UNLABELLED,
    LabelMap,
    label_map_rows,
)
from pseudolabel.formats.split_folder import SplitFolder

_BACKGROUND = "background"
"""The class of pixels without an annotation in rasterised maps, if the data has this class."""


def _gold_rows(image_id: int, labels: LabelMap, categories: tuple[Category, ...]) -> Annotations:
    """Return one row per class in a gold label map."""
    return label_map_rows(
        image_id, labels, np.full_like(labels, 255), category_ids_of(categories), GOLD_ROUND
    )


def read_label_maps(root: Path, split: str) -> tuple[Dataset, list[Fault]] | None:
    """Return a split and all faults in its labels; None if <split>.json does not exist.

    If the root has the folder masks/, every image must have a label map there. The annotations of
    the JSON file are then ignored, and those returned are one per image and class. Without masks/,
    the annotations are COCO masks, which `write_label_maps` rasterises.
    """
    path = root / f"{split}.json"
    if not path.exists():
        return None
    if not (root / LABEL_MAPS).is_dir():
        return parse_coco(path, Contract.MASK)
    dataset, faults = parse_coco(path, Contract.CLASS)
    faults += _check_category_ids(dataset.categories, path.name)
    parts = [Annotations.empty()]
    progress = tqdm(dataset.images.file_names, desc=f"masks of {path.name}", mininterval=2)
    for row, name in enumerate(progress):
        labels, fault = _read_raw_map(root, dataset, row)
        if fault is None:
            parts.append(_gold_rows(int(dataset.images.ids[row]), labels, dataset.categories))
        else:
            record = f"image id {dataset.images.ids[row]} ({name})"
            faults.append(replace(fault, file=path.name, record=record))
    return replace(dataset, annotations=_with_new_ids(parts)), faults


def _with_new_ids(parts: list[Annotations]) -> Annotations:
    """Return the rows of all parts with new ids, counted from 1."""
    rows = Annotations.concatenate(parts)
    return replace(rows, ids=np.arange(1, len(rows) + 1))


def _check_category_ids(categories: tuple[Category, ...], file: str) -> list[Fault]:
    """Return a fault for each category whose id cannot be the value of a pixel."""
    expected = f"an id below {UNLABELLED}, because pixels in {LABEL_MAPS}/ hold ids"
    return [
        Fault(file, f"category {category.name}", expected, str(category.id))
        for category in categories
        if category.id >= UNLABELLED
    ]


def _read_raw_map(root: Path, dataset: Dataset, row: int) -> tuple[LabelMap, Fault | None]:
    """Return an image's label map, converted from category ids to class indices, or its fault."""
    images, nothing = dataset.images, np.empty((0, 0), np.uint8)
    name = PurePosixPath(str(images.file_names[row])).with_suffix(".png").as_posix()
    size = (int(images.widths[row]), int(images.heights[row]))
    values, fault = _read_raw_pixels(root, name, size)
    if fault is not None:
        return nothing, fault
    index_of_id = np.full(256, -1, np.int16)
    index_of_id[UNLABELLED] = UNLABELLED
    for index, category in enumerate(dataset.categories):
        index_of_id[min(category.id, UNLABELLED)] = index
    labels = index_of_id[values]
    if (labels < 0).any():
        known = ", ".join(str(category.id) for category in dataset.categories)
        unknown = ", ".join(map(str, np.unique(values[labels < 0]).tolist()))
        return nothing, Fault("", "", f"pixels of {known} or {UNLABELLED}", unknown)
    return labels.astype(np.uint8), None


def _read_raw_pixels(root: Path, name: str, size: tuple[int, int]) -> tuple[LabelMap, Fault | None]:
    """Return the pixels of an indexed or grey PNG in masks/, or the fault in the file.

    Args:
        root: the raw root.
        name: the path of the PNG in masks/.
        size: the width and height that it must have; of another size, no pixel is decoded.
    """
    path, fault = path_inside(root / LABEL_MAPS, name), None
    values: LabelMap = np.empty((0, 0), np.uint8)
    if path is None:
        found = describe_outside(root / LABEL_MAPS, name)
        return values, Fault("", "", f"a path inside {LABEL_MAPS}/", found)
    try:
        with Image.open(io.BytesIO(read_content(path)), formats=IMAGE_FORMATS) as image:
            if image.mode not in ("P", "L"):
                expected = f"{LABEL_MAPS}/{name} indexed or grey, 8 bits"
                fault = Fault("", "", expected, f"mode {image.mode}")
            elif image.size != size:
                expected = f"a label map of the image's size, {size[0]}x{size[1]}"
                fault = Fault("", "", expected, f"{image.width}x{image.height}")
            else:
                values = np.array(image)
    except FileNotFoundError:
        fault = Fault("", "", f"a label map, {LABEL_MAPS}/{name}", "no file")
    except PILLOW_ERRORS as error:
        fault = Fault("", "", f"a readable {LABEL_MAPS}/{name}", str(error))
    return values, fault


def _rasterise(
    rows: Annotations, categories: tuple[Category, ...], height: int, width: int
) -> LabelMap:
    """Return the (height, width) label map of one image's COCO masks.

    Small masks lie on top of large ones; of masks of equal area, the one with the higher id lies on
    top. Crowds are unlabelled. Pixels without an annotation belong to the class `background`, if
    the categories have it; otherwise they are unlabelled.
    """
    names = [category.name for category in categories]
    background = names.index(_BACKGROUND) if _BACKGROUND in names else UNLABELLED
    labels = np.full((height, width), background, np.uint8)
    values = np.where(rows.crowds, UNLABELLED, rows.class_indices(categories))
    for row in np.lexsort((rows.ids, -rows.areas)):
        (mask,) = masks.decode(rows.masks[row : row + 1], height, width)
        labels[mask] = values[row]
    return labels


def write_label_maps(root: Path, dataset: Dataset, folder: Path) -> Dataset:
    """Write the label maps of a split; return it with one annotation per image and class.

    Args:
        root: the raw root.
        dataset: the split.
        folder: the folder to write to.

    Raises:
        DataError: a label map was changed after the check.
    """
    images, split = dataset.images, SplitFolder(folder)
    has_maps = (root / LABEL_MAPS).is_dir()
    parts = [Annotations.empty()]
    progress = tqdm(images.ids.tolist(), desc="masks", mininterval=2)
    by_image = dataset.annotations.by_image(images.ids)
    for row, (image_id, rows) in enumerate(zip(progress, by_image, strict=True)):
        # Reviewed images have masks, and no map in the raw root.
        if has_maps and not any(rows.masks):
            labels, fault = _read_raw_map(root, dataset, row)
            if fault is not None:
                raise DataError([fault])
        else:
            size = int(images.heights[row]), int(images.widths[row])
            labels = _rasterise(rows, dataset.categories, *size)
        split.write_label_map(image_id, labels)
        parts.append(_gold_rows(image_id, labels, dataset.categories))
    return replace(dataset, annotations=_with_new_ids(parts))
