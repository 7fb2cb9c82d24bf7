"""Label maps: a class for every pixel, as PNG; 255 where a pixel has no label.

In a raw root a pixel holds its category's id; inside the pipeline, its position among them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pseudolabel import masks
from pseudolabel.errors import DataError, Fault
from pseudolabel.files import inside, written_aside
from pseudolabel.formats.coco import parse_coco
from pseudolabel.formats.images import UNREADABLE
from pseudolabel.formats.shapes import Contract
from pseudolabel.records import GOLD_ROUND, Annotations, Category, Dataset, category_ids_of

MASKS = "masks"
"""The folder of label maps, in a raw root as inside the pipeline."""
UNLABELLED = 255
BACKGROUND = "background"
"""The class that rasterising gives to pixels without an annotation, where there is such a class."""

LabelMap = NDArray[np.uint8]


def map_path(folder: Path, image_id: int) -> Path:
    """Return where an image's label map lies inside the pipeline."""
    return folder / MASKS / f"{image_id:09d}.png"


def write_map(path: Path, labels: LabelMap) -> None:
    """Write an (h, w) map as PNG, aside and then renamed."""
    encoded = cv2.imencode(".png", labels)[1]
    with written_aside(path) as aside:
        aside.write_bytes(encoded.tobytes())


def read_map(path: Path) -> LabelMap:
    """Return an (h, w) map that this project wrote.

    Raises:
        DataError: the file is missing or is no PNG.
    """
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if found is None:
        raise DataError([Fault(str(path), "", "a label map, PNG", "nothing that can be read")])
    return found.astype(np.uint8, copy=False)


def rows_of_map(
    image_id: int,
    labels: LabelMap,
    confidences: LabelMap,
    category_ids: NDArray[np.int32],
    round_number: int,
) -> Annotations:
    """Return a row for each class that an image's map holds: its pixels, their mean confidence.

    Args:
        image_id: the image's id.
        labels: (h, w) map.
        confidences: (h, w) probability of each label, in 255ths.
        category_ids: (c,) id of each class.
        round_number: the round that the labels come from.
    """
    pixels = np.bincount(labels.ravel(), minlength=256)[: len(category_ids)]
    sums = np.bincount(labels.ravel(), confidences.ravel() / 255, minlength=256)
    classes = np.flatnonzero(pixels)
    return Annotations.of_classes(
        np.full(len(classes), image_id, np.int64),
        category_ids[classes],
        pixels[classes].astype(np.float32),
        (sums[classes] / pixels[classes]).astype(np.float32),
        round_number,
    )


def gold_rows(image_id: int, labels: LabelMap, categories: tuple[Category, ...]) -> Annotations:
    """Return a row for each class that a map made by people holds."""
    return rows_of_map(
        image_id, labels, np.full_like(labels, 255), category_ids_of(categories), GOLD_ROUND
    )


def read_label_maps(
    root: Path, split: str, _: tuple[Category, ...] | None
) -> tuple[Dataset, list[Fault]] | None:
    """Return a split's images, and every fault in their labels; None without <split>.json.

    With masks/ beside it, every image has a map there, and the annotations of the JSON do not
    count; each annotation returned is then a class that an image shows. Without masks/, they are
    COCO's masks, to be rasterised.
    """
    path = root / f"{split}.json"
    if not path.exists():
        return None
    if not (root / MASKS).is_dir():
        return parse_coco(path, Contract.MASK)
    dataset, faults = parse_coco(path, Contract.CLASS)
    faults += indices_that_fit(dataset.categories, path.name)
    parts = [Annotations.empty()]
    progress = tqdm(dataset.images.file_names, desc=f"masks of {path.name}", mininterval=2)
    for row, name in enumerate(progress):
        labels, fault = raw_map(root, dataset, row)
        if fault is None:
            parts.append(gold_rows(int(dataset.images.ids[row]), labels, dataset.categories))
        else:
            record = f"image id {dataset.images.ids[row]} ({name})"
            faults.append(replace(fault, file=path.name, record=record))
    return replace(dataset, annotations=numbered(parts)), faults


def numbered(parts: list[Annotations]) -> Annotations:
    """Return the rows of all parts with ids from 1 up."""
    rows = Annotations.concatenate(parts)
    return replace(rows, ids=np.arange(1, len(rows) + 1))


def indices_that_fit(categories: tuple[Category, ...], file: str) -> list[Fault]:
    """Return a fault for each category whose id is no pixel value of its own."""
    expected = f"an id below {UNLABELLED}, as it is a pixel's value in {MASKS}/"
    return [
        Fault(file, f"category {it.name}", expected, str(it.id))
        for it in categories
        if it.id >= UNLABELLED
    ]


def raw_map(root: Path, dataset: Dataset, row: int) -> tuple[LabelMap, Fault | None]:
    """Return an image's map of a raw root, in positions of classes, or the fault in it."""
    images, nothing = dataset.images, np.empty((0, 0), np.uint8)
    name = PurePosixPath(str(images.file_names[row])).with_suffix(".png").as_posix()
    values, fault = raw_values(root, name)
    size = (int(images.heights[row]), int(images.widths[row]))
    if fault is None and values.shape != size:
        expected = f"a label map of the image's size, {size[1]}x{size[0]}"
        fault = Fault("", "", expected, f"{values.shape[1]}x{values.shape[0]}")
    if fault is not None:
        return nothing, fault
    position = np.full(256, -1, np.int16)
    position[UNLABELLED] = UNLABELLED
    for index, category in enumerate(dataset.categories):
        position[min(category.id, UNLABELLED)] = index
    labels = position[values]
    if (labels < 0).any():
        known = ", ".join(str(category.id) for category in dataset.categories)
        strange = ", ".join(str(it) for it in np.unique(values[labels < 0]).tolist())
        return nothing, Fault("", "", f"pixels of {known} or {UNLABELLED}", strange)
    return labels.astype(np.uint8), None


def raw_values(root: Path, name: str) -> tuple[LabelMap, Fault | None]:
    """Return the pixels of an indexed or grey PNG below masks/, or what keeps them from us."""
    path, fault = inside(root / MASKS, name), None
    values: LabelMap = np.empty((0, 0), np.uint8)
    if path is None:
        return values, Fault("", "", f"a path inside {MASKS}/", repr(name))
    try:
        with Image.open(path) as image:
            mode, values = image.mode, np.array(image)
        if mode not in ("P", "L"):
            expected = f"{MASKS}/{name} indexed or grey, 8 bits"
            fault = Fault("", "", expected, f"mode {mode}")
    except FileNotFoundError:
        fault = Fault("", "", f"a label map, {MASKS}/{name}", "no file")
    except UNREADABLE as error:
        fault = Fault("", "", f"a readable {MASKS}/{name}", str(error))
    return values, fault


def rasterise(
    rows: Annotations, categories: tuple[Category, ...], height: int, width: int
) -> LabelMap:
    """Return one image's map of its COCO masks: the largest first, so that small ones lie on top.

    Of equal ones, the one with the higher id lies on top. Crowds are unlabelled; so are pixels
    without an annotation, unless a category is called `background`.
    """
    names = [category.name for category in categories]
    position = {category.id: index for index, category in enumerate(categories)}
    ground = names.index(BACKGROUND) if BACKGROUND in names else UNLABELLED
    labels = np.full((height, width), ground, np.uint8)
    for row in np.lexsort((rows.ids, -rows.areas)):
        (mask,) = masks.decode(rows.masks[row : row + 1], height, width)
        crowd = bool(rows.crowds[row])
        labels[mask] = UNLABELLED if crowd else position[int(rows.category_ids[row])]
    return labels


def write_label_maps(root: Path, dataset: Dataset, folder: Path) -> Dataset:
    """Write a split's maps, and return it with a row for each class that an image shows.

    Args:
        root: the raw root.
        dataset: the split, its annotations sorted by image.
        folder: the split's folder.

    Raises:
        DataError: a map has changed since it was checked.
    """
    parts = [Annotations.empty()]
    images, rows = dataset.images, dataset.annotations
    for row, image_id in enumerate(tqdm(images.ids.tolist(), desc="masks", mininterval=2)):
        if (root / MASKS).is_dir():
            labels, fault = raw_map(root, dataset, row)
            if fault is not None:
                raise DataError([fault])
        else:
            begin, end = np.searchsorted(rows.image_ids, [image_id, image_id + 1])
            size = int(images.heights[row]), int(images.widths[row])
            labels = rasterise(rows[begin:end], dataset.categories, *size)
        write_map(map_path(folder, image_id), labels)
        parts.append(gold_rows(image_id, labels, dataset.categories))
    return replace(dataset, annotations=numbered(parts))
