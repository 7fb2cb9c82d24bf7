"""The search for parameters of training: teachers on a share of gold, judged on tuning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.datasets import TUNING, of_images
from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.training import train
from pseudolabel.errors import ParamsError
from pseudolabel.files import remove, scratch_folder, sole_worker
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.formats.label_maps import MASKS, map_path
from pseudolabel.history import main_score
from pseudolabel.params.loading import changed
from pseudolabel.params.sections import Params
from pseudolabel.params.tune import Choice, Range
from pseudolabel.split import assign_parts
from pseudolabel.studies import Options, refuse_nothing_to_measure, search


def tune_training(prepared: Path, output: Path, params: Params) -> None:
    """Search for the parameters with which a model trained on a share of gold is best on tuning.

    Val and test are not looked at. When called again after a kill, the trial that was cut short
    goes on at its last checkpoint.

    Args:
        prepared: the folder of prepared data.
        output: the folder of the study.
        params: all parameters; those of round 0 are trial 0, where they lie within
            what is searched.

    Raises:
        ParamsError: `tune.parameters` has names or values that no training can have; all are told.
        ModelError: no trial could be trained.
        DataError: tuning has no labels.
    """
    section = params.tune
    params = params.in_round(0)
    refuse_unfit(params, section.parameters)
    refuse_nothing_to_measure(read_coco(prepared / TUNING / FILE))
    said = params.model_dump(mode="json", include={"task", "seed", "model", "train", "evaluate"})
    bounds = section.model_dump(mode="json", include={"share", "parameters"})
    folders = [prepared / "gold", prepared / TUNING]
    scratch = scratch_folder("tune", [said, bounds], folders)
    with sole_worker(scratch):
        write_share(prepared / "gold", scratch / "gold", section.share, params.seed)

        def measure(options: Options) -> float:
            tried = changed(params, options)
            train(scratch, prepared, scratch / "model", tried)
            row = judge(scratch / "model", prepared, tried, splits=(TUNING,)).row
            return main_score(row, TUNING) or 0.0

        own = {it.name: value_at(params, it.name) for it in section.parameters}
        searched = section.parameters
        search(output, scratch.name, searched, section.trials, params.seed, measure, own)
    remove(scratch)


def value_at(params: Params, name: str) -> Any:
    """Return a parameter by its dotted name."""
    value: Any = params.model_dump()
    for key in name.split("."):
        value = value[key]
    return value


def refuse_unfit(params: Params, searched: Sequence[Range | Choice]) -> None:
    """Raise where a name is no parameter, or a value that may be drawn breaks its rules.

    Raises:
        ParamsError: with a line for each.
    """
    faults = []
    for name, value in ends_of(searched):
        try:
            changed(params, {name: value})
        except ParamsError as error:
            faults.append(f"  tried with {name} {value!r}: {error}")
    if faults:
        lines = "\n".join(faults)
        raise ParamsError(f"tune.parameters has {len(faults)} faults:\n{lines}")


def ends_of(searched: Sequence[Range | Choice]) -> Iterator[tuple[str, Any]]:
    """Yield each parameter's name with its bounds, or with all of its choices."""
    for it in searched:
        values = it.choices if isinstance(it, Choice) else [it.low, it.high]
        yield from ((it.name, value) for value in values)


def write_share(gold: Path, output: Path, share: float, seed: int) -> None:
    """Write a share of gold's images, made up as all of them are, with their labels."""
    labels = read_coco(gold / FILE)
    if share < 1:
        everyone = np.arange(len(labels.images))
        rng = np.random.default_rng(seed)
        labels = of_images(labels, assign_parts(labels, everyone, [share, 1 - share], rng) == 0)
    remove(output)
    output.mkdir()
    write_coco(output / FILE, labels)
    if (gold / MASKS).is_dir():
        (output / MASKS).mkdir()
        for image_id in labels.images.ids.tolist():
            shutil.copy(map_path(gold, image_id), map_path(output, image_id))
