"""The images of gold whose labels are not complete, as `prepare.partial` names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pseudolabel.core.datasets import select_images
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.path_index import PathIndex
from pseudolabel.core.records import Annotations, Dataset


def partly_labelled(gold: Dataset, named: Literal["all"] | Sequence[str] | None) -> Dataset:
    """Return the images of gold that silver may add objects to, without labels.

    Its categories are the classes of which objects may be added.

    Args:
        gold: the split.
        named: names of classes, of images, or of both; a kind that is not named means all of it.

    Raises:
        DataError: a name is neither a class nor an image of gold; all of them are listed.
    """
    if named is None:
        return Dataset.empty(gold.categories)
    index = PathIndex(gold.images.file_names.tolist())
    classes: set[str] = set()
    images: set[str] = set()
    faults = []
    for name in () if named == "all" else named:
        found = index.find(name)
        if name in gold.class_names:
            classes.add(name)
        elif len(found) == 1:
            images.add(found[0])
        else:
            text = ", ".join(map(repr, found[:3])) or repr(name)
            expected = "all, or names of classes or of images of gold"
            faults.append(Fault("params.yaml", "prepare.partial", expected, text))
    if faults:
        raise DataError(faults)
    rows = (
        np.isin(gold.images.file_names, sorted(images))
        if images
        else np.ones(len(gold.images), bool)
    )
    categories = tuple(row for row in gold.categories if not classes or row.name in classes)
    return Dataset(select_images(gold, rows).images, Annotations.empty(), categories)
