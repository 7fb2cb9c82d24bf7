"""What a task's models differ in: their configs, their data, and what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mmengine.config import Config, ConfigDict
from numpy.typing import NDArray

from pseudolabel.formats import tables
from pseudolabel.params.sections import Params
from pseudolabel.records import Annotations, Category, Found

Pipeline = list[dict[str, Any]]
"""Transforms by name, in the form of mmengine's configs."""


@dataclass(frozen=True)
class View:
    """One way of looking at an image: at a scale of the model's image size, mirrored or not."""

    scale: float
    flip: bool


@dataclass(frozen=True)
class Request:
    """What a prediction is to report.

    Attributes:
        category_ids: (c,) id of each of the model's classes.
        section: the parameters, of `pseudo_label` or of `evaluate`.
        round_number: the round to write beside each row.
    """

    category_ids: NDArray[np.int32]
    section: Any
    round_number: int


Look = tuple[Any, list[Any]]
"""A model, and a batch as it is to see it, once for each view."""


class Adapter(Protocol):
    """Everything that training and predicting ask of a task.

    Attributes:
        scope: the package, and the scope in which mmengine looks names up.
    """

    scope: str

    def adapt_model(
        self, config: Config, categories: Sequence[Category], params: Params
    ) -> ConfigDict:
        """Return a config's model for these classes and parameters."""

    def train_pipeline(self, params: Params) -> Pipeline:
        """Return the training transforms, from the file to the model's input."""

    def picture(self, item: dict[str, Any]) -> NDArray[np.uint8]:
        """Return the (h, w, 3) picture of a training image with its labels, red first."""

    def source(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set, from a split's folder."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the config of the model that predicts, with the weights of the trained one."""

    def view_pipeline(self, image_size: tuple[int, int], view: View) -> Pipeline:
        """Return the transforms of one view, from the loaded image to the model's input."""

    def predict(self, looks: Sequence[Look], request: Request) -> Found:
        """Return what models find together in a batch."""

    def agreement(
        self, found: Any, other: Any, image_ids: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return for each of (n,) images of a batch how much two predictions agree, 0 to 1."""

    def shard_writer(self, folder: Path, request: Request) -> ShardWriter:
        """Return what writes the predictions for the pool into a folder."""


def pixels_of(item: dict[str, Any]) -> NDArray[np.uint8]:
    """Return a training image as an (h, w, 3) picture, red first."""
    pixels = item["inputs"].numpy()[::-1].transpose(1, 2, 0)
    # Some transforms leave floats behind.
    return np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8))


class ShardWriter(Protocol):
    """Takes a shard's predictions batch by batch; a shard is there when it is whole."""

    def add(self, found: Any) -> None:
        """Take the predictions of one batch."""

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        """Write the shard that all since the last one belong to."""


class RowsWriter:
    """Writes annotations."""

    def __init__(self) -> None:
        self.parts = [Annotations.empty()]

    def add(self, found: Annotations) -> None:
        """Take the predictions of one batch."""
        self.parts.append(found)

    def close(self, path: Path, unreadable: Sequence[str]) -> None:
        """Write the shard that all since the last one belong to."""
        tables.write_shard(path, Annotations.concatenate(self.parts), unreadable)
        self.parts = [Annotations.empty()]


def adapter_of(task: str) -> Adapter:
    """Return the adapter of a task, importing the package of its models."""
    adapter: Adapter = import_module(f"pseudolabel.engines.adapters.{task}").ADAPTER
    return adapter
