"""Model configs: found by name, and adapted to the data's classes and to one process."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from torch.nn import Module

from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.core.records import Category
from pseudolabel.models import PACKAGES
from pseudolabel.models.config_files import config_path
from pseudolabel.models.registered import find_model_faults, find_registered
from pseudolabel.params.common import BACKBONE, Params
from pseudolabel.params.types import single_value

SIZE_DIVISOR = 32
"""The largest stride of common backbones: image sides are multiples of it."""
_SEMANTIC_BRANCH = ("semantic_head", "semantic_roi_extractor")
"""Parts of HTC and SCNet that learn from stuff maps, which COCO's objects do not have."""


def read_config(name: str, scope: str) -> Config:
    """Return a model config by zoo name (`mmdet::rtmdet/...py`) or by path.

    Raises:
        ModelError: there is no such config, it lies elsewhere, or it has no `model`.
    """
    path = config_path(name, scope)
    init_default_scope(scope)
    try:
        config = Config.fromfile(path)
    except Exception as error:
        raise ModelError(f"model.config {name}: {type(error).__name__}: {error}") from error
    if "model" not in config:
        raise ModelError(f"model.config {name}: expected a `model`, found none")
    return config


def model_config(params: Params, categories: Sequence[Category]) -> ConfigDict:
    """Return the config of the model that params name, for these classes.

    Raises:
        ModelError: there is no such config, it belongs to another package, or it has no `model`.
        DataError: the model has parts that no registry has.
    """
    name, scope = single_value(params.model.config), PACKAGES[params.task]
    model = _adapt_to_classes(read_config(name, scope), len(categories))
    faults = find_model_faults(model, name, scope)
    if faults:
        raise DataError(faults)
    if params.task == "classification":
        return _adapt_classifier(model, len(categories), params)
    if params.task == "semantic":
        return _adapt_segmenter(model)
    return _adapt_detector(model)


def build_model(params: Params, categories: Sequence[Category]) -> Module:
    """Return the model that params name, with random weights."""
    config = model_config(params, categories)
    init_default_scope(PACKAGES[params.task])
    return MODELS.build(config)


def backbone_checkpoint(params: Params) -> str:
    """Return the path, the URL or the package of the pretrained backbone that a config names.

    Raises:
        ModelError: the config names none.
    """
    name = single_value(params.model.config)
    source = named_backbone(params)
    if source is None:
        expected = (
            "a config with a pretrained backbone, or champion, zoo, null or a file of weights"
        )
        found = f"{BACKBONE}, and {name} names no pretrained backbone"
        raise ModelError(f"model.weights: expected {expected}; found {found}")
    return source


def named_backbone(params: Params) -> str | None:
    """Return the same as backbone_checkpoint, None if the config names none."""
    config = read_config(single_value(params.model.config), PACKAGES[params.task])
    init = config.model.get("backbone", {}).get("init_cfg") or {}
    source: str | None = init.get("checkpoint")
    return source


def unfreeze(model: ConfigDict) -> ConfigDict:
    """Return a model in which every part learns.

    Many backbones freeze their first stages and the statistics of their batch norms, some of them
    by default. In a model with random initial weights, these parts would stay random.
    """
    model = copy.deepcopy(model)
    for part in _walk_dicts(model):
        if "requires_grad" in part:
            part["requires_grad"] = True
    backbone = model.get("backbone", {})
    with MODELS.switch_scope_and_registry(None) as registry:
        backbone_class = find_registered(MODELS, backbone.get("type"), registry.scope) or Module
    bases = [base for base in backbone_class.__mro__ if issubclass(base, Module)]
    arguments = {name for base in bases for name in inspect.signature(base).parameters}
    if "norm_eval" in arguments:
        backbone.norm_eval = False
    # "No frozen stages" is -1 for some backbones and 0 for others, but always their default.
    backbone.pop("frozen_stages", None)
    return model


def _walk_dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every dict inside a config, outermost first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk_dicts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _walk_dicts(inner)


def _adapt_to_classes(config: Config, classes: int) -> ConfigDict:
    """Return a config's model for a number of classes, in one process, of one image size.

    Two parts of the config are removed. The pretrained backbone is loaded separately, without
    running code. Batch augmentations would change the image size, which is a parameter.
    """
    model = copy.deepcopy(config.model)
    if "data_preprocessor" not in model and "data_preprocessor" in config:
        model.data_preprocessor = copy.deepcopy(config.data_preprocessor)
    for part in _walk_dicts(model):
        if "num_classes" in part:
            part["num_classes"] = classes
        if part.get("type") in ("SyncBN", "MMSyncBN"):
            part["type"] = "BN"
        # Most have `type: Pretrained`; the backbones of PVT only name a checkpoint.
        if isinstance(part.get("init_cfg"), dict) and "checkpoint" in part["init_cfg"]:
            part["init_cfg"] = None
    model.pop("pretrained", None)
    if model.get("data_preprocessor") is not None:
        model.data_preprocessor.pop("batch_augments", None)
    return model


def _adapt_detector(model: ConfigDict) -> ConfigDict:
    """Return a detector for one process, without a branch that needs stuff maps."""
    if model.type == "RTMDet":
        model.use_syncbn = False
    if "data_preprocessor" in model:
        # Necks join feature maps of all strides: each side must be a multiple of the largest.
        model.data_preprocessor.setdefault("pad_size_divisor", SIZE_DIVISOR)
    for name in _SEMANTIC_BRANCH:
        model.get("roi_head", {}).pop(name, None)
    return model


def _adapt_segmenter(model: ConfigDict) -> ConfigDict:
    """Return a segmentation model that takes each image as a whole."""
    for head in _heads(model):
        # One output per class, for two classes as well: a confidence is a softmax.
        head.pop("out_channels", None)
    for part in _walk_dicts(model):
        if part.get("type") == "CrossEntropyLoss":
            # Silver has unlabelled pixels: the loss is the mean over labelled pixels only.
            part["avg_non_ignore"] = True
    model.data_preprocessor.size, model.data_preprocessor.size_divisor = None, SIZE_DIVISOR
    model.data_preprocessor.pop("test_cfg", None)
    model.test_cfg = {"mode": "whole"}
    return model


def _heads(model: ConfigDict) -> list[dict[str, Any]]:
    """Return the configs of a segmentation model's heads, auxiliary ones included."""
    heads: list[dict[str, Any]] = []
    for name in ("decode_head", "auxiliary_head"):
        head = model.get(name)
        if head is not None:
            heads += head if isinstance(head, list | tuple) else [head]
    return heads


def _adapt_classifier(model: ConfigDict, classes: int, params: Params) -> ConfigDict:
    """Return a classifier with a loss for soft labels.

    Mixup, CutMix and label smoothing come from params, not from the config.
    """
    section: Any = params.train
    model.data_preprocessor.type = "ClsDataPreprocessor"
    model.data_preprocessor.num_classes = classes
    model.head.loss = {
        "type": "LabelSmoothLoss",
        # Soft labels are smoothed when they are read, and only those of gold.
        "label_smooth_val": 0.0 if section.soft_labels else float(section.label_smoothing),
        "num_classes": classes,
    }
    mixes = [
        {"type": name, "alpha": alpha}
        for name, alpha in (("Mixup", section.mixup), ("CutMix", section.cutmix))
        if alpha
    ]
    model.train_cfg = {"augments": mixes} if mixes else None
    return model
