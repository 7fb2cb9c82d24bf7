"""Presets become params.yaml: complete files for the four tasks, and recipes on top of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pseudolabel.core.errors import ParamsError, short_repr
from pseudolabel.core.files import written_aside
from pseudolabel.params.common import Params
from pseudolabel.params.data import Data
from pseudolabel.params.keys import PARAMS_BY_TASK
from pseudolabel.params.loading import read_yaml, validate
from pseudolabel.params.types import Section, section_of
from pseudolabel.params.yaml_text import format_value, render

PRESETS = Path("presets")


@dataclass(frozen=True)
class UsedPreset:
    """A preset that became params.yaml.

    Attributes:
        path: its file.
        params: the parameters.
        changes: one line per parameter that differs from the task's own preset.
    """

    path: Path
    params: Params
    changes: tuple[str, ...]


def use(
    preset: str,
    target: Path = Path("params.yaml"),
    folder: Path = PRESETS,
    data_root: str | None = None,
) -> UsedPreset:
    """Write a preset to params.yaml, on top of the complete preset of its task.

    The section `data` of an existing params.yaml stays as it is.

    Args:
        preset: the name of a file in `folder`, without its ending, or the path of a file.
        target: params.yaml.
        folder: the folder of the presets.
        data_root: value of `data.root`; None to keep it.

    Raises:
        ParamsError: there is no such preset, or it has faults; the message lists all of them.
    """
    path = _find_preset(preset, folder)
    values = preset_values(path, folder)
    validate(values, str(path))
    task = values["task"]
    own = read_yaml(folder / f"{task}.yaml")
    differences = tuple(_differences(own, values, PARAMS_BY_TASK[task]))
    values["data"] = _with_kept_data(values["data"], target)
    if data_root is not None:
        values["data"]["root"] = data_root
    params = validate(values, str(path))
    with written_aside(target) as aside:
        aside.write_text(render(values, preset), encoding="utf-8")
        validate(read_yaml(aside), str(target))
    return UsedPreset(path, params, differences)


def preset_values(path: Path, folder: Path = PRESETS) -> dict[str, Any]:
    """Return all parameters of a preset, on top of the complete preset of its task.

    Args:
        path: the file of the preset.
        folder: the folder of the presets.

    Raises:
        ParamsError: it is not a file of YAML sections, or names no task.
    """
    changes = read_yaml(path)
    task = changes.get("task")
    if not isinstance(task, str) or task not in PARAMS_BY_TASK:
        expected = f"task: expected one of {', '.join(PARAMS_BY_TASK)}"
        raise ParamsError(f"{path}: {expected}; found {short_repr(task)}")
    return _overlay(read_yaml(folder / f"{task}.yaml"), changes, PARAMS_BY_TASK[task])


def _find_preset(preset: str, folder: Path = PRESETS) -> Path:
    """Return the file of a preset, given by its name or its path.

    Raises:
        ParamsError: there is none; the message lists the known ones.
    """
    path = Path(preset)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    path = folder / f"{preset}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        close = get_close_matches(preset, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ParamsError(
            f"preset: expected one of {', '.join(known)}, or the path of a file; "
            f"found {preset!r}{hint}"
        )
    return path


def _overlay(
    values: Mapping[Any, Any], changes: Mapping[Any, Any], section: type[Section]
) -> dict[Any, Any]:
    """Return values with changes on top, section by section."""
    merged = dict(values)
    for key, value in changes.items():
        field = section.model_fields.get(key) if isinstance(key, str) else None
        inner = section_of(field.annotation) if field else None
        if inner is not None and isinstance(value, Mapping):
            merged[key] = _overlay(values[key], value, inner)
        else:
            merged[key] = value
    return merged


def _with_kept_data(data: dict[str, Any], target: Path) -> dict[str, Any]:
    """Return the section `data` with the values of an existing params.yaml, if they are usable.

    That file may be of an earlier version, and lack some of the values.
    """
    try:
        kept = read_yaml(target).get("data")
        merged = data | kept if isinstance(kept, dict) else data
        Data.model_validate(merged)
    except (ParamsError, ValidationError):
        return data
    return merged


def _differences(
    own: Mapping[str, Any], values: Mapping[str, Any], section: type[Section], prefix: str = ""
) -> Iterator[str]:
    for key, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None:
            yield from _differences(own[key], values[key], inner, f"{prefix}{key}.")
        elif own[key] != values[key]:
            yield f"{prefix}{key}: {format_value(own[key])} -> {format_value(values[key])}"
