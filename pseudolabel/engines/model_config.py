"""Model configs: found by name, stripped of what ties them to their own data set."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from torch.nn import Module

from pseudolabel.errors import ModelError

LOAD = {"type": "LoadImageFromFile"}
PADDING = 114.0


def read_config(name: str, scope: str) -> Config:
    """Return a model config by zoo name (`mmdet::rtmdet/...py`) or by path.

    Raises:
        ModelError: there is no such config, it is another package's, or it has no `model`.
    """
    path, prefix = Path(name), f"{scope}::"
    if name.startswith(prefix):
        package = Path(str(import_module(scope).__file__)).parent
        path = package / ".mim" / "configs" / name.removeprefix(prefix)
    if not path.is_file():
        raise ModelError(
            f"model.config: expected a zoo name ({prefix}<folder>/<file>.py) or a path, "
            f"found {name!r}"
        )
    init_default_scope(scope)
    config = Config.fromfile(path)
    if "model" not in config:
        raise ModelError(f"model.config {name}: expected a `model`, found none")
    return config


def backbone_weights(config: Config) -> str | None:
    """Return where a config says that its pretrained backbone lies."""
    init = config.model.get("backbone", {}).get("init_cfg") or {}
    source: str | None = init.get("checkpoint")
    return source


def stripped(config: Config, classes: int) -> ConfigDict:
    """Return a config's model for so many classes.

    Every head gets the number of classes, pretrained backbones are taken out (they are loaded
    apart, without running code), batch normalisation is that of one process, and augmentation that
    changes the size of a batch goes: the image size is a parameter.
    """
    model = copy.deepcopy(config.model)
    if "data_preprocessor" not in model and "data_preprocessor" in config:
        model.data_preprocessor = copy.deepcopy(config.data_preprocessor)
    for part in walk(model):
        if "num_classes" in part:
            part["num_classes"] = classes
        if part.get("type") in ("SyncBN", "MMSyncBN"):
            part["type"] = "BN"
        # Most name its type, Pretrained; those of PVT have a checkpoint alone.
        if isinstance(part.get("init_cfg"), dict) and "checkpoint" in part["init_cfg"]:
            part["init_cfg"] = None
    model.pop("pretrained", None)
    if model.get("data_preprocessor") is not None:
        model.data_preprocessor.pop("batch_augments", None)
    return model


def thawed(model: ConfigDict) -> ConfigDict:
    """Return a model whose every part learns.

    Many backbones keep their first stages and the statistics of their batch normalisation as their
    pretrained weights have them, some unless told otherwise; in a model that begins from nothing,
    these would stay as they were drawn.
    """
    model = copy.deepcopy(model)
    for part in walk(model):
        if "requires_grad" in part:
            part["requires_grad"] = True
    backbone = model.get("backbone", {})
    with MODELS.switch_scope_and_registry(None) as registry:
        kind = registry.get(backbone.get("type", "")) or Module
    kinds = [it for it in kind.__mro__ if issubclass(it, Module)]
    known = {name for it in kinds for name in inspect.signature(it).parameters}
    if "norm_eval" in known:
        backbone.norm_eval = False
    # Whether none are -1 or 0 differs; it is what all of them do unless told otherwise.
    backbone.pop("frozen_stages", None)
    return model


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every dict inside a config, outermost first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from walk(inner)


def fitted(size: tuple[int, int]) -> list[dict[str, Any]]:
    """Return the transforms that fit an image into width and height, keeping its shape."""
    values = {"img": (PADDING, PADDING, PADDING), "masks": 0, "seg": 255}
    return [
        {"type": "Resize", "scale": size, "keep_ratio": True},
        {"type": "Pad", "size": size, "pad_val": values},
    ]


def scaled(size: tuple[int, int], factor: float, multiple: int = 1) -> tuple[int, int]:
    """Return width and height times a factor, each the nearest multiple of some pixels."""
    width, height = (max(1, round(it * factor / multiple)) * multiple for it in size)
    return width, height


def cropped(size: tuple[int, int] | None) -> list[dict[str, Any]]:
    """Return what cuts a part of some width and height out of an image, and of its label map."""
    return [] if size is None else [{"type": "RandomCrop", "crop_size": (size[1], size[0])}]


def as_tuples(value: Any) -> Any:
    """Return YAML's pairs of whole numbers as the tuples that transforms insist on for sizes."""
    if isinstance(value, dict):
        return {key: as_tuples(inner) for key, inner in value.items()}
    if isinstance(value, list) and len(value) == 2 and all(isinstance(it, int) for it in value):
        return tuple(value)
    return [as_tuples(inner) for inner in value] if isinstance(value, list) else value
