"""The list `train.augmentations`: transforms of the mm* packages and of albumentations, checked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import groupby
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS

from pseudolabel.core.errors import ModelError, PseudolabelError
from pseudolabel.models.registered import find_name_faults, find_registered
from pseudolabel.models.transforms import Pipeline, fit_to_size, lists_to_tuples
from pseudolabel.params.common import Params
from pseudolabel.params.types import single_value

_BRIDGE = "AlbumentationsTransform"
ALBUMENTATIONS = "albumentations."
"""The prefix of albumentations' transforms in params.yaml."""
_COPY_PASTE = "CopyPaste"
"""Requires images of one size: they are fitted to the image size before it."""
_MIXING = ("CopyPaste", "MixUp", "Mosaic", "RandomMosaic")
"""Transforms that combine an image with further images of its data set."""

DatasetConfig = dict[str, Any]
"""A data set, as mmengine's configs describe it."""


def build_augmentations(params: Params, *, boxes: bool = False, mask_fill: int = 0) -> Pipeline:
    """Return the transforms of `train.augmentations`.

    Consecutive transforms of albumentations become one transform, the bridge.

    Args:
        params: all parameters.
        boxes: whether images have boxes.
        mask_fill: the value of mask pixels that come from outside the image.

    Raises:
        ModelError: a transform does not exist or has no such argument; all of them are listed.
    """

    def bridge(group: list[dict[str, Any]]) -> dict[str, Any]:
        # The import registers the bridge; trainings without albumentations do not wait for it.
        import pseudolabel.training.albumentations_bridge  # noqa: F401, PLC0415

        return {
            "type": _BRIDGE,
            "transforms": group,
            "boxes": boxes,
            "mask_fill": mask_fill,
        }

    pipeline: Pipeline = []
    faults = []
    for is_bridged, members in groupby(params.train.augmentations, _is_albumentations):
        group = list(members)
        for transform in group:
            config = bridge([transform]) if is_bridged else lists_to_tuples(transform)
            fault = _find_fault(config)
            faults += [f"{transform['type']}: {fault}"] if fault else []
            if transform["type"] == _COPY_PASTE:
                pipeline += fit_to_size(single_value(params.model.image_size))
            pipeline += [] if is_bridged else [config]
        pipeline += [bridge(group)] if is_bridged else []
    if faults:
        raise ModelError("train.augmentations:\n" + "\n".join(f"  {fault}" for fault in faults))
    return pipeline


def _is_albumentations(transform: dict[str, Any]) -> bool:
    return str(transform["type"]).startswith(ALBUMENTATIONS)


def _find_fault(transform: dict[str, Any]) -> str | None:
    """Return the fault in a transform's name or arguments; None if there is none."""
    with TRANSFORMS.switch_scope_and_registry(None) as registry:
        scope = registry.scope
    if find_registered(TRANSFORMS, transform["type"], scope) is None:
        return "expected the name of a transform of the task's package or of mmcv"
    if transform["type"] != _BRIDGE:
        faults = find_name_faults(transform, transform["type"], (), TRANSFORMS, scope)
        if faults:
            return str(faults[0])
    try:
        TRANSFORMS.build(copy.deepcopy(transform))
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError, ImportError) as error:
        return str(error)
    return None


def wrap_mixing(
    dataset: DatasetConfig, wrap: Callable[[DatasetConfig], DatasetConfig]
) -> DatasetConfig:
    """Return the config of a data set whose transforms can mix its images.

    The first mixing transform and all after it run outside, in a MultiImageMixDataset.

    Args:
        dataset: the config of a data set with a pipeline.
        wrap: adds another wrapper around the data set, inside the MultiImageMixDataset.
    """
    pipeline = dataset["pipeline"]
    first = next(
        (row for row, transform in enumerate(pipeline) if transform["type"] in _MIXING), None
    )
    if first is None:
        return wrap(dataset)
    inner = wrap(dataset | {"pipeline": pipeline[:first]})
    return {"type": "MultiImageMixDataset", "dataset": inner, "pipeline": pipeline[first:]}


def check_augmentations(config: Config) -> None:
    """Raise if the augmentations fail on the first image of gold.

    Raises:
        ChangedImageError: the image is not the one that was prepared.
        ModelError: an augmentation fails; its own message is part of this one.
    """
    dataset = DATASETS.build(copy.deepcopy(config.train_dataloader.dataset.datasets[0]))
    try:
        dataset[0]
    except PseudolabelError:
        raise
    except Exception as error:
        message = f"train.augmentations fail on the first image of gold: {type(error).__name__}"
        raise ModelError(f"{message}: {error}") from error
