"""Copies of the shipped files with changes."""

import copy
from pathlib import Path

import pytest
import yaml

from pseudolabel.core.errors import ParamsError
from pseudolabel.params.loading import load_params, read_yaml

ROOT = Path(__file__).parents[2]
TASKS = ("detection", "instance", "semantic", "classification")
PRESETS = {task: read_yaml(ROOT / "presets" / f"{task}.yaml") for task in TASKS}


def changed(task="detection", /, **changes):
    """The preset of a task with `section__key=value` changed."""
    values = copy.deepcopy(PRESETS[task])
    for name, value in changes.items():
        *sections, key = name.split("__")
        inner = values
        for section in sections:
            inner = inner[section]
        inner[key] = value
    return values


def without(values, *names):
    """Values without some parameters, given by dotted names."""
    values = copy.deepcopy(values)
    for name in names:
        *sections, key = name.split(".")
        inner = values
        for section in sections:
            inner = inner[section]
        del inner[key]
    return values


def faults_of(path):
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value)


@pytest.fixture
def write(tmp_path):
    """Writes values, or text, to a params.yaml beside the presets."""
    (tmp_path / "presets").symlink_to(ROOT / "presets")

    def write(values):
        text = values if isinstance(values, str) else yaml.safe_dump(values, sort_keys=False)
        path = tmp_path / "params.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
