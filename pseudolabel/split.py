"""Splitting val off gold, by image and from a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pseudolabel.errors import DataError, Fault
from pseudolabel.records import Annotations, Dataset, Images


def split_off(dataset: Dataset, share: float, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Return the dataset without a random share of its images, and that share.

    Raises:
        DataError: there are too few images for both parts to have one.
    """
    count = len(dataset.images)
    taken = max(1, round(count * share))
    if taken >= count:
        found = f"{count} image{'s' * (count != 1)} and a share of {share}"
        raise DataError([Fault("gold.json", "images", "enough to split val off", found)])
    chosen = np.zeros(count, bool)
    chosen[rng.permutation(count)[:taken]] = True
    return of_images(dataset, ~chosen), of_images(dataset, chosen)


def of_images(dataset: Dataset, rows: NDArray[np.bool_]) -> Dataset:
    """Return the images of an (n,) boolean mask with their annotations."""
    images: Images = dataset.images[rows]
    annotations: Annotations = dataset.annotations
    kept = np.isin(annotations.image_ids, images.ids)
    return Dataset(images, annotations[kept], dataset.categories)
