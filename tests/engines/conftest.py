"""Tiny data sets, prepared, and tiny models that were really trained on them, one a task."""

import copy
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pseudolabel.engines.training import train
from pseudolabel.params.loading import TASKS as SECTIONS
from pseudolabel.params.loading import filled_in
from pseudolabel.params.sections import Sample
from pseudolabel.prepare import prepare
from pseudolabel.tasks import TASKS
from tests.builders import splitting

ROOT = Path(__file__).parents[2]
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
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


def tiny_params(root, task="detection", **changes):
    values = copy.deepcopy(SHIPPED) | {"task": task, "round": 0}
    defaults = yaml.safe_load((ROOT / "configs" / f"{task}.yaml").read_text(encoding="utf-8"))
    values["model"]["config"] = str(ROOT / defaults["model"]["config"])
    objects = FLOOR if task in ("detection", "instance") else {}
    for section in (TINY, objects, {"data": {"root": str(root)}}, changes):
        for name, value in section.items():
            values[name].update(value)
    return SECTIONS[task].model_validate(filled_in(values, defaults))


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
    TASKS[task].write_sample(made.root, SMALL)
    prepare(made.root, made.prepared, TASKS[task], splitting(0.2), 0)
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
def own_folder(tmp_path, monkeypatch):
    """Scratch folders lie below the working folder: each test gets its own."""
    monkeypatch.chdir(tmp_path)
