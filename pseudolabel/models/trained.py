"""A trained model in its folder: config.json is data, and is checked before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_state_dict
from torch.nn import Module

from pseudolabel.core.errors import DataError, Fault, ModelError, short_repr
from pseudolabel.formats.model_folder import CONFIG
from pseudolabel.formats.teacher_files.file_model import file_of_model
from pseudolabel.models import PACKAGES
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.models.registered import find_model_faults

_KEYS = ("categories", "image_size", "model", "task")
_LARGEST_SIDE = 100_000


def read_trained_config(folder: Path) -> Config:
    """Return the config of a model folder, which may come from elsewhere.

    Raises:
        DataError: it is not a config that training writes; all faults are listed.
        ModelError: the folder has a file of predictions instead of a model.
    """
    path = folder / CONFIG
    if file_of_model(folder) is not None:
        raise ModelError(f"{folder}: expected a trained model, found a file of predictions")
    try:
        values = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError([Fault(str(path), "", "a file", str(error.strerror))]) from error
    except orjson.JSONDecodeError as error:
        raise DataError([Fault(str(path), "", "valid JSON", str(error))]) from error
    faults = _find_faults(values, str(path))
    if faults:
        raise DataError(faults)
    return Config(values)


def build_trained(model: dict[str, Any], weights: Path, task: str) -> Module:
    """Return the model of a checked config with its weights, on the CPU.

    Args:
        model: the config of the model.
        weights: the file of its weights.
        task: its task.

    Raises:
        ModelError: the model cannot be built, or the weights do not fit it.
    """
    loaded = load_weights(weights)
    init_default_scope(PACKAGES[task])
    try:
        built: Module = MODELS.build(model)
        load_state_dict(built, loaded, strict=True)
    except ModelError:
        raise
    except Exception as error:
        found = " ".join(f"{type(error).__name__}: {error}".split())
        fault = Fault(str(weights.parent), "", "a config and weights that fit together", found)
        raise ModelError(str(fault)) from error
    return built


def _find_faults(values: Any, file: str) -> list[Fault]:
    if not isinstance(values, dict) or sorted(values) != list(_KEYS):
        found = ", ".join(sorted(map(str, values))) if isinstance(values, dict) else "another value"
        return [Fault(file, "", f"the keys {', '.join(_KEYS)}", found or "none")]
    task, size = values["task"], values["image_size"]
    faults = []
    if not isinstance(task, str) or task not in PACKAGES:
        faults.append(Fault(file, "task", ", ".join(PACKAGES), short_repr(task)))
    if not (isinstance(size, list) and len(size) == 2 and all(map(_is_side, size))):
        faults.append(Fault(file, "image_size", "[width, height] in pixels", short_repr(size)))
    if not _are_categories(values["categories"]):
        found = short_repr(values["categories"])
        faults.append(Fault(file, "categories", "a list of ids with names", found))
    if not isinstance(values["model"], dict):
        faults.append(Fault(file, "model", "a model config", short_repr(values["model"])))
    return faults or find_model_faults(values["model"], file, PACKAGES[task])


def _is_side(value: object) -> bool:
    return type(value) is int and 0 < value <= _LARGEST_SIDE


def _are_categories(value: object) -> bool:
    """Return whether a value is a list of classes, each with an id and a name of its own."""
    if not isinstance(value, list) or not value:
        return False
    for row in value:
        if not isinstance(row, dict) or set(row) != {"id", "name"}:
            return False
        if type(row["id"]) is not int or abs(row["id"]) >= 2**31 or type(row["name"]) is not str:
            return False
    return all(len({row[key] for row in value}) == len(value) for key in ("id", "name"))
