"""The search for training parameters: models trained on a share of gold, scored on tuning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.datasets import TUNING, select_images
from pseudolabel.core.errors import ParamsError
from pseudolabel.core.files import remove
from pseudolabel.core.per_round import in_round
from pseudolabel.core.workdir import scratch_folder, scratch_lock
from pseudolabel.evaluation.history import main_score
from pseudolabel.evaluation.score import score_model
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.params.loading import with_values
from pseudolabel.params.tune import Choice, Range
from pseudolabel.search.study import Options, require_labels, search
from pseudolabel.splits.stratify import assign_parts
from pseudolabel.training.train import train


def tune_training(prepared: Path, output: Path, params: Params) -> None:
    """Search for the parameters with the best score on tuning, with models trained on gold.

    Each trial trains on the same share of gold. Val and test are not used. After an interruption, a
    new call resumes the current trial at its last checkpoint.

    Args:
        prepared: the folder of prepared data.
        output: the folder of the study.
        params: all parameters; those of round 0 are trial 0 if they are within the bounds.

    Raises:
        ParamsError: `tune.parameters` has unknown names or impossible values; all are listed.
        ModelError: no trial could be trained.
        DataError: tuning has no labels.
    """
    section = params.tune
    params = in_round(params, 0)
    _refuse_impossible(params, section.parameters)
    require_labels(SplitFolder(prepared / TUNING).read())
    sections = {"task", "seed", "model", "train", "evaluate"}
    # Trials are scored by their last weights.
    left_out = {"evaluate": {"select"}}
    used = params.model_dump(mode="json", include=sections, exclude=left_out)
    bounds = section.model_dump(mode="json", include={"share", "parameters"})
    folders = [prepared / "gold", prepared / TUNING]
    scratch = scratch_folder("tune", [used, bounds], folders)
    with scratch_lock(scratch):
        gold = SplitFolder(prepared / "gold")
        _write_share(gold, SplitFolder(scratch / "gold"), section.share, params.seed)

        def measure(options: Options) -> float:
            changed = with_values(params, options)
            train(scratch, prepared, scratch / "model", changed)
            row = score_model(scratch / "model", prepared, changed, splits=(TUNING,)).row
            return main_score(row, TUNING) or 0.0

        searched = section.parameters
        current = {bounds.name: _parameter_value(params, bounds.name) for bounds in searched}
        search(output, scratch.name, searched, section.trials, params.seed, measure, current)
    remove(scratch)


def _parameter_value(params: Params, name: str) -> Any:
    """Return the value of a parameter, such as `train.learning_rate`."""
    value: Any = params.model_dump()
    for key in name.split("."):
        value = value[key]
    return value


def _refuse_impossible(params: Params, searched: Sequence[Range | Choice]) -> None:
    """Raise if a name is not a parameter, or if a bound or a choice is not a possible value.

    Raises:
        ParamsError: with one line per fault.
    """
    faults = []
    for name, value in _extreme_values(searched):
        try:
            with_values(params, {name: value})
        except ParamsError as error:
            faults.append(f"  with {name} = {value!r}: {error}")
    if faults:
        lines = "\n".join(faults)
        raise ParamsError(f"tune.parameters has {len(faults)} faults:\n{lines}")


def _extreme_values(searched: Sequence[Range | Choice]) -> Iterator[tuple[str, Any]]:
    """Yield each parameter's name with both of its bounds, or with all of its choices."""
    for bounds in searched:
        values = bounds.choices if isinstance(bounds, Choice) else [bounds.low, bounds.high]
        yield from ((bounds.name, value) for value in values)


def _write_share(gold: SplitFolder, output: SplitFolder, share: float, seed: int) -> None:
    """Write a stratified share of gold's images with their labels."""
    dataset = gold.read()
    if share < 1:
        groups = np.arange(len(dataset.images))
        parts = assign_parts(dataset, groups, [share, 1 - share], np.random.default_rng(seed))
        dataset = select_images(dataset, parts == 0)
    remove(output.path)
    output.path.mkdir()
    output.write(dataset)
    ids = dataset.images.ids.tolist()
    gold.copy_label_maps(output, dict(zip(ids, ids, strict=True)))
