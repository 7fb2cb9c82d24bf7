"""Operations on whole data sets: select images, concatenate, renumber."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.columns import positions
from pseudolabel.core.records import Annotations, Dataset, Images

TUNING = "tuning"
"""The split that thresholds are chosen on, and the folder of its predictions."""

PARTIAL = "partial"
"""The images of gold whose labels are not complete, and the folder of their predictions."""


def select_images(dataset: Dataset, rows: NDArray[np.bool_]) -> Dataset:
    """Return the images of an (n,) boolean mask with their annotations."""
    images: Images = dataset.images[rows]
    kept = np.isin(dataset.annotations.image_ids, images.ids)
    return Dataset(images, dataset.annotations[kept], dataset.categories)


def concatenate(datasets: Sequence[Dataset]) -> Dataset:
    """Return one data set with the rows of several data sets of the same classes.

    Images keep their order; annotations are sorted by image. Ids are kept if they are unique over
    all data sets. Otherwise image ids are shifted, and annotation ids are counted from 1.
    """
    ids = np.concatenate([dataset.images.ids for dataset in datasets])
    clash = len(np.unique(ids)) < len(ids)
    images, annotations, shift = [], [Annotations.empty()], 0
    for dataset in datasets:
        rows = dataset.annotations
        images.append(replace(dataset.images, ids=dataset.images.ids + shift))
        annotations.append(replace(rows, image_ids=rows.image_ids + shift))
        if clash:
            shift += int(dataset.images.ids.max(initial=0)) + 1
    rows = Annotations.concatenate(annotations)
    rows = rows[np.argsort(rows.image_ids, kind="stable")]
    if len(np.unique(rows.ids)) < len(rows):
        rows = replace(rows, ids=np.arange(1, len(rows) + 1))
    return Dataset(Images.concatenate(images), rows, datasets[0].categories)


def sort_images(dataset: Dataset) -> Dataset:
    """Return the data set with its images sorted by id."""
    return replace(dataset, images=dataset.images[np.argsort(dataset.images.ids)])


def renumber(datasets: dict[str, Dataset]) -> dict[str, Dataset]:
    """Return the splits with image ids that are unique over all splits, in order of file name."""
    names = sorted({name for dataset in datasets.values() for name in dataset.images.file_names})
    number = {name: index for index, name in enumerate(names, start=1)}
    numbered = {}
    for split, dataset in datasets.items():
        images, annotations = dataset.images, dataset.annotations
        new_ids = np.array([number[name] for name in images.file_names], np.int64)
        image_ids = new_ids[positions(annotations.image_ids, images.ids)]
        annotations = replace(annotations, image_ids=image_ids)
        images = replace(images, ids=new_ids)[np.argsort(new_ids)]
        by_image = np.lexsort((annotations.ids, annotations.image_ids))
        numbered[split] = Dataset(images, annotations[by_image], dataset.categories)
    return numbered
