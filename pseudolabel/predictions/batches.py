"""What predictors yield, batch by batch, and the interface of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.records import Images, Predictions
from pseudolabel.formats.prediction_store import ShardWriter


@dataclass(frozen=True)
class Stability:
    """The agreement of predictions with other predictions for the same images.

    Attributes:
        image_ids: (m,) ids.
        values: (m,) 0 to 1.
    """

    image_ids: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class BatchPredictions:
    """The predictions for one batch of images.

    Attributes:
        predictions: for the images that can be decoded; None if no image can.
        images: number of images in the batch, unreadable ones included.
        unreadable: (k,) row numbers, among all images, of files that cannot be decoded.
        stability: of the predictions; None if it is not measured.
    """

    predictions: Predictions | None
    images: int
    unreadable: list[int]
    stability: Stability | None = None


class Predictor(Protocol):
    """Anything that predicts; tests replace trained models by simple ones."""

    def predict(self, images: Images) -> Iterator[BatchPredictions]:
        """Yield the predictions of images, batch by batch, in order."""

    def shard_writer(self, folder: Path) -> ShardWriter:
        """Return the writer of these predictions, shard by shard, into a folder."""
