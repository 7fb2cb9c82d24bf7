"""params.yaml with the task's defaults filled in, validated; all faults are told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pseudolabel.errors import ParamsError
from pseudolabel.params.classification import ClassificationParams
from pseudolabel.params.detection import ObjectParams
from pseudolabel.params.instance import InstanceParams
from pseudolabel.params.sections import Params
from pseudolabel.params.semantic import SemanticParams

DEFAULT = "default"
"""As a value in params.yaml: whatever configs/<task>.yaml says, nothing where it is silent."""

TASKS: dict[str, type[Params]] = {
    "detection": ObjectParams,
    "instance": InstanceParams,
    "semantic": SemanticParams,
    "classification": ClassificationParams,
}


def load_params(path: Path = Path("params.yaml"), task: str | None = None) -> Params:
    """Return the validated params.yaml, with the defaults of its task from configs/<task>.yaml.

    Args:
        path: of the file.
        task: to be taken in place of the file's.

    Raises:
        ParamsError: a file is missing, is no YAML or breaks rules; the message lists all of them.
    """
    values = read_yaml(path)
    values["task"] = task or values.get("task")
    return validated(values, path, path.parent / "configs")


def validated(values: dict[str, Any], path: Path, configs: Path) -> Params:
    """Return the values of a params.yaml with the defaults of their task, validated.

    Args:
        values: what the file says.
        path: the file, for messages.
        configs: the folder with the defaults of each task.

    Raises:
        ParamsError: the values break rules; the message lists all of them.
    """
    task = values.get("task")
    if task not in TASKS:
        raise ParamsError(f"{path}: task: expected one of {', '.join(TASKS)}, found {task!r}")
    defaults = read_yaml(configs / f"{task}.yaml")
    try:
        return TASKS[task].model_validate(filled_in(values, defaults))
    except ValidationError as error:
        faults = "\n".join(f"  {describe(fault)}" for fault in error.errors())
        raise ParamsError(f"{path} has {error.error_count()} faults:\n{faults}") from error


def changed(params: Params, options: dict[str, Any]) -> Params:
    """Return parameters with some of them changed, by dotted names as `train.learning_rate`.

    Raises:
        ParamsError: there is no such parameter, or the values break rules.
    """
    values = params.model_dump()
    for name, value in options.items():
        *path, last = name.split(".")
        section: Any = values
        for key in path:
            section = section.get(key) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise ParamsError(f"{name}: expected a parameter, found none of that name")
        section[last] = value
    try:
        return type(params).model_validate(values)
    except ValidationError as error:
        faults = "\n".join(f"  {describe(fault)}" for fault in error.errors())
        raise ParamsError(f"the parameters have {error.error_count()} faults:\n{faults}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        ParamsError: the file is missing or holds something else.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{path}: expected a readable file, found {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: expected YAML, found {error}") from error
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: expected sections, found {type(values).__name__}")
    return values


def filled_in(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the values, `default` replaced by the task's own or left out where it has none."""
    filled: dict[str, Any] = {}
    for name, value in values.items():
        own = defaults.get(name)
        if isinstance(value, dict):
            filled[name] = filled_in(value, own if isinstance(own, dict) else {})
        elif value != DEFAULT:
            filled[name] = value
        elif own is not None or name in defaults:
            filled[name] = own
    return filled


def describe(fault: Any) -> str:
    """Return one of pydantic's faults as `section.key: what is wrong, found value`."""
    key = ".".join(str(part) for part in fault["loc"]) or "as a whole"
    message = fault["msg"].removeprefix("Value error, ")
    found = "" if fault["type"] in ("missing", "value_error") else f", found {fault['input']!r}"
    return f"{key}: {message}{found}"
