"""Removing images of a split that have a duplicate in a split that is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pseudolabel.core.datasets import select_images
from pseudolabel.core.held_out import Duplicate
from pseudolabel.core.records import Dataset
from pseudolabel.splits.duplicates import DuplicateFinder


@dataclass
class LeakGuard:
    """Removes images from a split whose duplicates are in a split that is measured on.

    Attributes:
        finder: finds duplicates.
        removed: every removed image with its duplicate, in order of removal.
    """

    finder: DuplicateFinder
    removed: list[Duplicate] = field(default_factory=list)

    def remove_from(self, dataset: Dataset, split: str, guards: Mapping[str, Dataset]) -> Dataset:
        """Return a split without images that have a duplicate in one of the guards."""
        for guard, guarded in guards.items():
            pairs = self.finder.find(dataset.images, split, guarded.images, guard)
            names = [pair.file for pair in pairs]
            dataset = select_images(dataset, ~np.isin(dataset.images.file_names, names))
            self.removed += pairs
        return dataset
