"""What models predict for whole images: class probabilities and label maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Probabilities:
    """A classifier's predictions for some images.

    Attributes:
        image_ids: (n,) int64.
        values: (n, c) float32, the probability of each class, in order of the categories.
    """

    image_ids: NDArray[np.int64]
    values: NDArray[np.float32]

    @classmethod
    def concatenate(cls, parts: Sequence[Probabilities]) -> Probabilities:
        """Return the rows of all parts, in order; there must be at least one part."""
        return cls(
            np.concatenate([part.image_ids for part in parts]),
            np.concatenate([part.values for part in parts]),
        )


@dataclass(frozen=True)
class LabelMaps:
    """A segmentation model's predictions for some images, each at its original size.

    Attributes:
        image_ids: (n,) int64.
        labels: n maps, each (h, w) uint8, the index of each pixel's class among the categories.
        confidences: n maps, each (h, w) uint8, the class's probability in steps of 1/255.
    """

    image_ids: NDArray[np.int64]
    labels: list[NDArray[np.uint8]]
    confidences: list[NDArray[np.uint8]]
