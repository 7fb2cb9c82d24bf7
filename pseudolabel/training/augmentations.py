"""The lists of augmentations in params.yaml: transforms of the mm* packages and albumentations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from mmengine.registry import TRANSFORMS

from pseudolabel.core.errors import ModelError
from pseudolabel.core.tasks import TASKS
from pseudolabel.models.registered import find_name_faults, find_registered
from pseudolabel.models.transforms import Pipeline, fit_to_size, lists_to_tuples
from pseudolabel.params.common import Params

_BRIDGE = "AlbumentationsTransform"
ALBUMENTATIONS = "albumentations."
"""The prefix of albumentations' transforms in params.yaml."""
PASTE_GOLD = "PasteGold"
"""Pastes objects of gold into silver."""
_OF_ONE_SIZE = ("CopyPaste", PASTE_GOLD)
"""Require images of one size: they are fitted to the image size before them."""
MIXING = ("CopyPaste", "MixUp", "Mosaic", "RandomMosaic")
"""Transforms that combine an image with further images of its data set."""

GOLD_LISTS = ("augmentations",)
"""The parameters of `train` whose transforms run on gold, one after the other."""
SILVER_LISTS = (*GOLD_LISTS, "silver_augmentations")
"""The parameters of `train` whose transforms run on silver, one after the other."""

Augmentations = Sequence[dict[str, Any]]
"""Transforms, as params.yaml lists them."""
DatasetConfig = dict[str, Any]
"""A data set, as mmengine's configs describe it."""


def build_augmentations(
    augmentations: Augmentations,
    image_size: tuple[int, int],
    *,
    boxes: bool = False,
    mask_fill: int = 0,
) -> Pipeline:
    """Return transforms as mmengine runs them.

    Consecutive transforms of albumentations become one transform, the bridge.

    Args:
        augmentations: the transforms, as params.yaml lists them.
        image_size: width and height to which images are fitted afterwards.
        boxes: whether images have boxes.
        mask_fill: the value of mask pixels that come from outside the image.
    """
    pipeline: Pipeline = []
    for is_bridged, members in groupby(augmentations, _is_albumentations):
        if is_bridged:
            pipeline.append(_bridge(list(members), boxes, mask_fill))
            continue
        for transform in members:
            pipeline += fit_to_size(image_size) if transform["type"] in _OF_ONE_SIZE else []
            pipeline.append(lists_to_tuples(transform))
    return pipeline


def check_names(params: Params) -> None:
    """Raise if a transform does not exist or has no such argument.

    Raises:
        ModelError: all faults of both lists are in the message.
    """
    faults = []
    for name in SILVER_LISTS:
        found = [
            f"  {transform['type']}: {fault}"
            for transform in getattr(params.train, name)
            if (fault := _find_misuse(transform, name, params.task) or _find_fault(transform))
        ]
        faults += [f"train.{name}:", *found] if found else []
    if faults:
        raise ModelError("\n".join(faults))


def _bridge(group: list[dict[str, Any]], boxes: bool, mask_fill: int) -> dict[str, Any]:
    # The import registers the bridge; trainings without albumentations do not wait for it.
    import pseudolabel.training.albumentations_bridge  # noqa: F401, PLC0415

    return {"type": _BRIDGE, "transforms": group, "boxes": boxes, "mask_fill": mask_fill}


def _is_albumentations(transform: dict[str, Any]) -> bool:
    return str(transform["type"]).startswith(ALBUMENTATIONS)


def _find_misuse(transform: dict[str, Any], name: str, task: str) -> str | None:
    """Return why a transform of this project cannot be in a list; None if it can."""
    if transform["type"] != PASTE_GOLD:
        return None
    if name in GOLD_LISTS:
        return "expected in silver_augmentations alone: it pastes objects of gold into silver"
    if "gold" in transform:
        return "expected no argument gold: it is the gold of the training"
    if TASKS[task].kind != "objects":
        return f"expected a task with objects, found {task}"
    return None


def _find_fault(transform: dict[str, Any]) -> str | None:
    """Return the fault in a transform's name or arguments; None if there is none."""
    if _is_albumentations(transform):
        config = _bridge([transform], boxes=False, mask_fill=0)
    else:
        config = lists_to_tuples(transform)
    with TRANSFORMS.switch_scope_and_registry(None) as registry:
        scope = registry.scope
    if find_registered(TRANSFORMS, config["type"], scope) is None:
        return "expected the name of a transform of the task's package or of mmcv"
    if config["type"] != _BRIDGE:
        faults = find_name_faults(config, config["type"], (), TRANSFORMS, scope)
        if faults:
            return str(faults[0])
    try:
        TRANSFORMS.build(copy.deepcopy(config))
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
        (row for row, transform in enumerate(pipeline) if transform["type"] in MIXING), None
    )
    if first is None:
        return wrap(dataset)
    inner = wrap(dataset | {"pipeline": pipeline[:first]})
    return {"type": "MultiImageMixDataset", "dataset": inner, "pipeline": pipeline[first:]}
