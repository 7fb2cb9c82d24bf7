"""The data sets and settings of benchmarks/lift.py, as benchmarks/lift.yaml lists them."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.dubai_aerial import copy_with_ids
from benchmarks.gold_count import with_gold_count
from benchmarks.lift_bench import Bench
from benchmarks.preset_params import preset_params
from benchmarks.shrink import shrink
from pseudolabel.params.common import Params

SETTINGS = Path(__file__).with_name("lift.yaml")


@dataclass(frozen=True)
class Case:
    """A data set in one setting, and the parameters that differ from presets/<task>.yaml.

    Attributes:
        thresholds: the thresholds of online methods, chosen on val; by default, their usual ones.
    """

    name: str
    task: str
    setting: str
    root: Path
    options: dict[str, Any]
    thresholds: dict[str, float]

    def params(self, seed: int) -> Params:
        """Return all parameters with a seed."""
        return preset_params(self.task, self.options | {"seed": seed, "data.root": self.root})

    def bench(self, work: Path, seed: int, sees_test: bool) -> Bench:
        """Return the parameters and the folders of one seed."""
        data = work / self.name / self.setting
        runs = data / f"seed_{seed}"
        return Bench(self.params(seed), data, runs, sees_test, self.thresholds)


def cases_of(arguments: argparse.Namespace) -> list[Case]:
    """Return the cases that the command line names."""
    extra = {name: yaml.safe_load(value) for name, value in arguments.set}
    if arguments.task:
        name = arguments.root.resolve().name
        options = options_of(arguments.setting, arguments.task, name) | extra
        copy = arguments.work / name / arguments.setting / "raw"
        root = copy_raw(arguments.root, copy, None, arguments.gold)
        cases = [Case(name, arguments.task, arguments.setting, root, options, {})]
    else:
        cases = read_cases(
            arguments.root, arguments.work, arguments.setting, arguments.data, extra, arguments.gold
        )
    asked = {name: float(value) for name, value in arguments.threshold}
    return [replace(case, thresholds=case.thresholds | asked) for case in cases]


def read_settings() -> dict[str, Any]:
    """Return the content of benchmarks/lift.yaml."""
    values: dict[str, Any] = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    return values


def options_of(setting: str, task: str, dataset: str) -> dict[str, Any]:
    """Return the parameters of a data set that differ from presets/<task>.yaml in a setting."""
    known = read_settings()
    by_setting = known["data"].get(dataset, {}).get(setting, {"options": {}})
    return {**known["settings"][setting][task], **by_setting["options"]}


def read_cases(
    root: Path,
    work: Path,
    setting: str,
    names: list[str] | None = None,
    extra: dict[str, Any] | None = None,
    gold: int | None = None,
) -> list[Case]:
    """Return the named data sets in a folder, or all in benchmarks/lift.yaml, in one setting."""
    known = read_settings()["data"]
    cases = []
    for name in known if names is None else names:
        values = known[name]
        count = values[setting].get("gold") if gold is None else gold
        copy = work / name / setting / "raw"
        raw = copy_raw(root / name, copy, values.get("longest"), count)
        options = options_of(setting, values["task"], name) | (extra or {})
        thresholds = values[setting].get("thresholds", {})
        cases.append(Case(name, values["task"], setting, raw, options, thresholds))
    return cases


def copy_raw(source: Path, output: Path, longest: int | None, gold: int | None) -> Path:
    """Return the raw root to use: the source, or a copy that is changed.

    Args:
        source: the raw root.
        output: the folder for the copy; an existing copy is used again.
        longest: the longest side of shrunk images, in pixels.
        gold: the number of gold images to keep.
    """
    steps: list[Callable[[Path, Path], object]] = []
    if source.name == "dubai_aerial":
        steps.append(copy_with_ids)
    if longest is not None:
        steps.append(partial(shrink, longest=longest))
    if gold is not None:
        steps.append(partial(with_gold_count, count=gold))
    if output.exists() or not steps:
        return output if steps else source
    with tempfile.TemporaryDirectory() as scratch:
        for number, step in enumerate(steps[:-1]):
            step(source, Path(scratch) / str(number))
            source = Path(scratch) / str(number)
        steps[-1](source, output)
    return output
