"""Whole data sets: parts of them, two as one, ids that are unique over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.records import Annotations, Dataset, Images

MEASURED_ON = ("val", "tuning", "test")
"""The splits that no model may learn from."""
TUNING = "tuning"
"""The split that thresholds are chosen on, and the folder of the predictions for it."""


def of_images(dataset: Dataset, rows: NDArray[np.bool_]) -> Dataset:
    """Return the images of an (n,) boolean mask with their annotations."""
    images: Images = dataset.images[rows]
    annotations: Annotations = dataset.annotations
    kept = np.isin(annotations.image_ids, images.ids)
    return Dataset(images, annotations[kept], dataset.categories)


def joined(one: Dataset, other: Dataset) -> Dataset:
    """Return two data sets of the same classes as one; ids of the second follow the first's."""
    images, rows = other.images, other.annotations
    shift = int(one.images.ids.max(initial=0)) + 1
    images = replace(images, ids=images.ids + shift)
    first = int(one.annotations.ids.max(initial=0)) + 1
    rows = replace(rows, ids=rows.ids + first, image_ids=rows.image_ids + shift)
    return Dataset(
        Images.concatenate([one.images, images]),
        Annotations.concatenate([one.annotations, rows]),
        one.categories,
    )


def joined_all(datasets: Sequence[Dataset]) -> Dataset:
    """Return data sets of the same classes, whose image ids are unique over them, as one.

    Annotations keep their ids where these are unique, too; else they are counted anew.
    """
    images = Images.concatenate([it.images for it in datasets])
    rows = Annotations.concatenate([it.annotations for it in datasets])
    images = images[np.argsort(images.ids)]
    rows = rows[np.argsort(rows.image_ids, kind="stable")]
    if len(np.unique(rows.ids)) < len(rows):
        rows = replace(rows, ids=np.arange(1, len(rows) + 1))
    return Dataset(images, rows, datasets[0].categories)


def with_shared_ids(datasets: dict[str, Dataset]) -> dict[str, Dataset]:
    """Return the splits with image ids counted over all their files in order of file name."""
    names = sorted({name for dataset in datasets.values() for name in dataset.images.file_names})
    number = {name: index for index, name in enumerate(names, start=1)}
    numbered = {}
    for split, dataset in datasets.items():
        images, annotations = dataset.images, dataset.annotations
        new_ids = np.array([number[name] for name in images.file_names], np.int64)
        order = np.argsort(images.ids, kind="stable")
        at = order[np.searchsorted(images.ids[order], annotations.image_ids)]
        annotations = replace(annotations, image_ids=new_ids[at])
        images = replace(images, ids=new_ids)[np.argsort(new_ids)]
        by_image = np.lexsort((annotations.ids, annotations.image_ids))
        numbered[split] = Dataset(images, annotations[by_image], dataset.categories)
    return numbered
