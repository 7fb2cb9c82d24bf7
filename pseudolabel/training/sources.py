"""The sources of training images, gold and silver, each with its own augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS

from pseudolabel.core.errors import ModelError, PseudolabelError
from pseudolabel.core.records import Category
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.params.common import Params
from pseudolabel.training import task_data
from pseudolabel.training.augmentations import (
    GOLD_LISTS,
    MIXING,
    PASTE_GOLD,
    SILVER_LISTS,
    DatasetConfig,
    check_names,
    wrap_mixing,
)
from pseudolabel.training.random_numbers import SeededDataset, Turn


@dataclass(frozen=True)
class TrainingData:
    """The folders that a model is trained on: gold, and silver after round 0."""

    gold: Path
    silver: Path | None

    @classmethod
    def in_folder(cls, folder: Path) -> TrainingData:
        """Return the training data in a folder that prepare or merge wrote."""
        silver = folder / "silver"
        return cls(folder / "gold", silver if silver.exists() else None)

    @property
    def folders(self) -> list[Path]:
        """The folders, gold first."""
        return [self.gold] if self.silver is None else [self.gold, self.silver]


def dataset_configs(
    sources: TrainingData, categories: Sequence[Category], params: Params
) -> list[DatasetConfig]:
    """Return the configs of the data sets, gold first.

    Raises:
        ModelError: an augmentation does not exist or has no such argument; all of them are listed.
    """
    task_data(params.task)  # Registers the transforms of the task.
    check_names(params)
    return [
        _dataset_config(folder, lists, sources.gold, categories, params)
        for folder, lists in _lists_by_folder(sources)
    ]


def check_augmentations(
    sources: TrainingData, categories: Sequence[Category], params: Params
) -> None:
    """Raise if the augmentations fail on the first image of gold or of silver.

    Raises:
        ChangedImageError: an image is not the one that was prepared.
        ModelError: an augmentation fails; its own message is part of this one.
    """
    faults = []
    for folder, lists in _lists_by_folder(sources):
        fault = None
        # The first list that fails, with the same random numbers: those after it never ran.
        for count in range(len(lists), 0, -1):
            config = _dataset_config(folder, lists[:count], sources.gold, categories, params)
            error = _error_on_first_image(config, params.seed)
            if error is None:
                break
            fault = f"train.{lists[count - 1]} fail on the first image of {folder.name}: {error}"
        faults += [fault] if fault else []
    if faults:
        raise ModelError("\n".join(faults))


def _lists_by_folder(sources: TrainingData) -> list[tuple[Path, tuple[str, ...]]]:
    """Return each folder with the parameters that list its augmentations, gold first."""
    return list(zip(sources.folders, (GOLD_LISTS, SILVER_LISTS), strict=False))


def _dataset_config(
    folder: Path,
    lists: Sequence[str],
    gold: Path,
    categories: Sequence[Category],
    params: Params,
) -> DatasetConfig:
    """Return the config of the data set in a folder, with the augmentations of some lists."""
    data, images = task_data(params.task), params.data.root / IMAGES
    augmentations = [transform for name in lists for transform in getattr(params.train, name)]
    pipeline = data.load(params, augmentations)
    if any(transform["type"] == PASTE_GOLD for transform in pipeline):
        unmixed = [one for one in params.train.augmentations if one["type"] not in MIXING]
        source = data.dataset(gold, images, categories, data.load(params, unmixed))
        pipeline = [
            transform | ({"gold": source} if transform["type"] == PASTE_GOLD else {})
            for transform in pipeline
        ]
    return wrap_mixing(
        data.dataset(folder, images, categories, [*pipeline, *data.pack(params)]),
        lambda dataset: _oversample(dataset, params.train.oversample_threshold),
    )


def _oversample(dataset: dict[str, Any], threshold: float | None) -> dict[str, Any]:
    """Return a data set that repeats images of rare classes (Gupta et al. 2019).

    The rarest class of an image decides. Let f be the share of images with that class: below the
    threshold t, the image is repeated sqrt(t / f) times. Without a threshold, none is repeated.
    """
    if threshold is None:
        return dataset
    return {"type": "ClassBalancedDataset", "oversample_thr": threshold, "dataset": dataset}


def _error_on_first_image(config: DatasetConfig, seed: int) -> str | None:
    """Return the error that the transforms of a data set raise; None if they work."""
    seeded = {"type": SeededDataset.__name__, "seed": seed, "datasets": [config]}
    dataset = DATASETS.build(seeded)
    try:
        dataset[Turn(0, 0)]
    except PseudolabelError:
        raise
    except Exception as error:  # noqa: BLE001 - a transform may raise anything
        return f"{type(error).__name__}: {error}"
    return None
