"""The part of a training that depends on the task: the data set and its transforms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pseudolabel.core.records import Category
from pseudolabel.models.transforms import Pipeline
from pseudolabel.params.common import Params
from pseudolabel.training.augmentations import Augmentations


class TaskData(Protocol):
    """The training data of a task, as configs from which mmengine builds it."""

    def load(self, params: Params, augmentations: Augmentations) -> Pipeline:
        """Return the first training transforms: load, augment, fit to the image size.

        Args:
            params: all parameters.
            augmentations: the augmentations of the source, gold or silver.
        """

    def pack(self, params: Params) -> Pipeline:
        """Return the last training transforms: crop, pack."""

    def dataset(
        self, folder: Path, images: Path, categories: Sequence[Category], pipeline: Pipeline
    ) -> dict[str, Any]:
        """Return the config of a training data set.

        Args:
            folder: the split's folder, with its COCO file.
            images: the image folder.
            categories: the classes.
            pipeline: the training transforms.
        """
