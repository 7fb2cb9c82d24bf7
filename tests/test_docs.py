import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
TASKS = ("detection", "instance", "semantic", "classification")
DEFAULTS = {
    task: yaml.safe_load((ROOT / "configs" / f"{task}.yaml").read_text(encoding="utf-8"))
    for task in TASKS
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def documented():
    """Each documented parameter with its section and the cells that say its defaults."""
    section = ""
    for line in (ROOT / "docs/parameters.md").read_text(encoding="utf-8").splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            for name in re.findall(r"`([\w.*]+)`", cells[0]):
                yield (name if "." in name or not section else f"{section}.{name}"), cells[1:-1]


ROWS = list(documented())


def test_every_parameter_is_documented():
    names = {name for name, _ in ROWS}
    flat = {
        f"{section}.{key}"
        for section, keys in PARAMS.items()
        if isinstance(keys, dict)
        for key in keys
    }
    flat |= {key for key, value in PARAMS.items() if not isinstance(value, dict)}
    assert {name for name in flat if not name.startswith("sample.")} | {"sample.*"} == names


def test_every_task_sets_what_is_left_to_it_and_nothing_else():
    left = {
        (section, key)
        for section, keys in PARAMS.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
        if value == "default" or (isinstance(value, dict) and "default" in value.values())
    }
    said = {
        (section, key) for it in DEFAULTS.values() for section, keys in it.items() for key in keys
    }
    assert said == left


def value_of(source, name):
    section, _, key = name.rpartition(".")
    return source.get(section, {}).get(key, "-") if section else source.get(key)


NUMBERED = [
    row
    for row in ROWS
    if row[0] not in ("sample.*", "train.launcher", "train.optimizer", "train.augmentations")
]


@pytest.mark.parametrize(("name", "cells"), NUMBERED, ids=[row[0] for row in NUMBERED])
def test_documented_defaults_are_those_of_the_files(name, cells):
    sources = [PARAMS] if len(cells) == 1 else [DEFAULTS[task] for task in TASKS]
    for cell, source in zip(cells, sources, strict=True):
        said = cell if cell == "-" else yaml.safe_load(cell)
        assert said == value_of(source, name), cell
