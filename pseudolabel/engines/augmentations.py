"""The list `train.augmentations`: checked by name, run by albumentations or mm*, mixing images."""

from __future__ import annotations

import copy
from itertools import groupby
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS

from pseudolabel.engines.adapter import Pipeline
from pseudolabel.engines.model_config import as_tuples, fitted
from pseudolabel.errors import ModelError
from pseudolabel.params.sections import Params

ALBUMENTATIONS = "albumentations."
"""What the names of albumentations' transforms begin with."""
COPYING = "CopyPaste"
"""Takes images of one size alone: they are fitted before it."""
MIXING = ("CopyPaste", "MixUp", "Mosaic", "RandomMosaic")
"""Transforms that ask their data set for other images."""


def transforms_of(params: Params, *, boxes: bool = False, mask_fill: int = 0) -> Pipeline:
    """Return the list of params.yaml as transforms; neighbours of albumentations run together.

    Args:
        params: all parameters.
        boxes: whether images have boxes.
        mask_fill: what a mask gets where albumentations move in what was outside the image.

    Raises:
        ModelError: with a line for each transform that is not there or has no such argument.
    """

    def albumented(group: list[dict[str, Any]]) -> dict[str, Any]:
        # Registers it; trainings without albumentations need not wait for its import.
        import pseudolabel.engines.albumented  # noqa: F401, PLC0415

        return {"type": "Albumented", "transforms": group, "boxes": boxes, "mask_fill": mask_fill}

    pipeline: Pipeline = []
    faults = []
    for foreign, members in groupby(params.train.augmentations, is_foreign):
        group = list(members)
        for it in group:
            fault = fault_of(albumented([it]) if foreign else as_tuples(it))
            faults += [f"{it['type']}: {fault}"] if fault else []
            if it["type"] == COPYING:
                pipeline += fitted(params.model.image_size)
            pipeline += [] if foreign else [as_tuples(it)]
        pipeline += [albumented(group)] if foreign else []
    if faults:
        raise ModelError("train.augmentations:\n" + "\n".join(f"  {it}" for it in faults))
    return pipeline


def is_foreign(augmentation: dict[str, Any]) -> bool:
    """Tell whether a transform is one of albumentations."""
    return str(augmentation["type"]).startswith(ALBUMENTATIONS)


def fault_of(transform: dict[str, Any]) -> str | None:
    """Return what is wrong with a transform's name or arguments, None if nothing is."""
    with TRANSFORMS.switch_scope_and_registry(None) as of_the_task:
        if of_the_task.get(transform["type"]) is None:
            return "expected the name of a transform of the task's package or of mmcv"
    try:
        TRANSFORMS.build(copy.deepcopy(transform))
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError, ImportError) as error:
        return str(error)
    return None


def with_mixing(source: dict[str, Any], wrapped: Any) -> dict[str, Any]:
    """Return a data set's config, its transforms from the first one that mixes images on outside.

    Args:
        source: the config of a data set with a pipeline.
        wrapped: what else is put around it, below the mixing.
    """
    pipeline = source["pipeline"]
    first = next((row for row, it in enumerate(pipeline) if it["type"] in MIXING), None)
    if first is None:
        return wrapped(source)
    own = wrapped(source | {"pipeline": pipeline[:first]})
    return {"type": "MultiImageMixDataset", "dataset": own, "pipeline": pipeline[first:]}


def refuse_failing(config: Config) -> None:
    """Raise where the augmentations fail on the first image of gold.

    Raises:
        ModelError: with what they said.
    """
    dataset = DATASETS.build(copy.deepcopy(config.train_dataloader.dataset.datasets[0]))
    try:
        dataset[0]
    except Exception as error:
        raise ModelError(
            f"train.augmentations fail on the first image of gold: {type(error).__name__}: {error}"
        ) from error
