"""Tiny data sets, prepared, and tiny models that were really trained on them, one per task."""

import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from pseudolabel.params.keys import PARAMS_BY_TASK
from pseudolabel.params.presets import preset_values
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.splits.prepare import prepare
from tests.builders import splitting

# A run draws the same examples each time; HYPOTHESIS=search draws new ones.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS", "fixed"))

ROOT = Path(__file__).parents[1]
TINY = {
    "model": {"image_size": [96, 96]},
    "data": {"workers": 0},
    "train": {
        "iterations": 6,
        "batch_size": 2,
        "warmup_iterations": 2,
        "checkpoint_every": 2,
    },
    "pseudo_label": {"batch_size": 4, "shard_images": 4},
}
FLOOR = {"pseudo_label": {"score_floor": 0.001}}
SMALL = Sample(seed=3, gold=6, val=3, test=3, pool=10, width=96, height=80)


def pytest_collection_modifyitems(items):
    """Whole pipelines take longest and begin first."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)


def tiny_params(root, task="detection", **changes):
    """The parameters of a task, so small that a model trains in seconds."""
    values = preset_values(ROOT / "presets" / f"sample_{task}.yaml", ROOT / "presets")
    values["round"] = 0
    values["model"]["config"] = str(ROOT / values["model"]["config"])
    objects = FLOOR if task in ("detection", "instance") else {}
    for section in (TINY, objects, {"data": {"root": str(root)}}, changes):
        for name, value in section.items():
            values[name].update(value)
    return PARAMS_BY_TASK[task].model_validate(values)


@dataclass(frozen=True)
class Trained:
    """A task with its raw root, prepared data and a model trained on it."""

    task: str
    root: Path
    prepared: Path
    model: Path

    def params(self, **changes):
        return tiny_params(self.root, self.task, **changes)


def trained(task, folder):
    made = Trained(task, folder / "raw", folder / "prepared", folder / "model")
    # Here, because most tests need not wait for torch.
    from pseudolabel.training.train import train  # noqa: PLC0415

    SAMPLES[task](made.root, SMALL)
    prepare(made.root, made.prepared, task, splitting(0.2), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(made.prepared, made.prepared, made.model, made.params())
    return made


@pytest.fixture(scope="session")
def trained_tasks(tmp_path_factory):
    """Each task's tiny model, trained when it is first asked for."""
    made = {}

    def get(task):
        if task not in made:
            made[task] = trained(task, tmp_path_factory.mktemp(task))
        return made[task]

    return get


@pytest.fixture
def any_task(request, trained_tasks):
    """The tiny model of the task that a test is parametrised with."""
    return trained_tasks(request.param)


@pytest.fixture(scope="session")
def root(trained_tasks):
    return trained_tasks("detection").root


@pytest.fixture(scope="session")
def prepared(trained_tasks):
    return trained_tasks("detection").prepared


@pytest.fixture(scope="session")
def model(trained_tasks):
    return trained_tasks("detection").model


@pytest.fixture(autouse=True)
def seeds():
    """Augmentations and new weights draw from these: a test sees the same numbers in each run."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the packages draw from this one
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Scratch folders lie below the working folder: each test gets its own."""
    monkeypatch.chdir(tmp_path)
