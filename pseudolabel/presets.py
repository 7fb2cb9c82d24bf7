"""Presets: recipes that say what differs from the defaults, and become params.yaml."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from pseudolabel.errors import ParamsError
from pseudolabel.files import written_aside
from pseudolabel.params.loading import read_yaml, validated
from pseudolabel.params.sections import Params

DEFAULTS = Path("presets/default.yaml")


def use(preset: Path, target: Path, defaults: Path = DEFAULTS) -> Params:
    """Write a preset's parameters into params.yaml, the defaults where it says nothing.

    `data` stays as it is: a recipe is used on one's own data.

    Args:
        preset: a YAML file with some of the parameters.
        target: params.yaml.
        defaults: params.yaml as it is shipped.

    Returns:
        the parameters.

    Raises:
        ParamsError: a file cannot be read, or the preset's values break rules; all are told.
    """
    read_yaml(preset)
    editor = round_trip()
    said = editor.load(preset.read_text(encoding="utf-8"))
    values = editor.load(defaults.read_text(encoding="utf-8"))
    unknown = overlay(values, said)
    if unknown:
        raise ParamsError(f"{preset}: expected parameters, found none named {', '.join(unknown)}")
    if target.exists():
        values["data"].update(read_yaml(target).get("data", {}))
    values.yaml_set_start_comment(
        f"By `python -m pseudolabel use {preset}`; docs/parameters.md says what each does."
    )
    text = io.StringIO()
    editor.dump(values, text)
    params = validated(yaml.safe_load(text.getvalue()), preset, target.parent / "configs")
    with written_aside(target) as aside:
        aside.write_text(text.getvalue(), encoding="utf-8")
    return params


def round_trip() -> YAML:
    """Return what reads and writes YAML in the form that people gave it."""
    editor = YAML()
    editor.width, editor.preserve_quotes = 120, True
    editor.representer.add_representer(
        type(None), lambda it, _: it.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return editor


def overlay(values: Any, said: dict[str, Any], section: str = "") -> list[str]:
    """Put what a preset says into the values, and return the names that these have not."""
    unknown = []
    for key, value in said.items():
        if key not in values:
            unknown.append(f"{section}{key}")
        elif isinstance(value, dict) and not section and isinstance(values[key], dict):
            unknown += overlay(values[key], value, f"{key}.")
        else:
            values[key] = value
    return unknown
