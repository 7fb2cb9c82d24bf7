"""The part of prediction that depends on the task: the model, the transforms, the results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from mmengine.config import ConfigDict
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.errors import counted
from pseudolabel.core.records import Predictions
from pseudolabel.models.transforms import Pipeline


@dataclass(frozen=True)
class View:
    """A variant of an image as model input: at a scale of the image size, mirrored or not."""

    scale: float
    flip: bool


@dataclass
class LeftOut:
    """Counts predictions that count as none: not finite, outside of the image, or without area."""

    count: int = 0

    def add(self, unusable: NDArray[np.bool_]) -> None:
        """Add the number of rows that are True."""
        self.count += int(unusable.sum())

    def report(self) -> None:
        """Print the count, if there are any, and begin to count again."""
        if self.count:
            reasons = "not finite, outside of the image, or without area"
            text = counted(self.count, "prediction")
            tqdm.write(f"{text} left out and counted as none: {reasons}", file=sys.stderr)
        self.count = 0


@dataclass(frozen=True)
class PredictOptions:
    """The classes, the parameters and the round of predictions.

    Attributes:
        category_ids: (c,) id of each of the model's classes.
        section: the section `pseudo_label` or `evaluate` of the parameters.
        round_number: the round to write beside each prediction.
        left_out: counts the predictions that count as none.
    """

    category_ids: NDArray[np.int32]
    section: Any
    round_number: int
    left_out: LeftOut = field(default_factory=LeftOut)


ModelBatches = tuple[Any, list[Any]]
"""A model, and the same images as one batch per view."""


class TaskPredictor(Protocol):
    """How models of a task predict."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the config of the model that predicts; it takes the trained model's weights."""

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view, from the loaded image to the model's input."""

    def predict(
        self, batches: Sequence[ModelBatches], options: PredictOptions, others: Sequence[Any] = ()
    ) -> Predictions:
        """Return the joint predictions of models, views and others for a batch of images.

        Args:
            batches: the models with the images in all views; none if only others predict.
            options: the classes, the parameters and the round.
            others: predictions of other teachers for the same images, in their order.
        """

    def agreement(self, one: Any, other: Any, image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how much two predictions agree for each of (n,) images, 0 to 1."""
