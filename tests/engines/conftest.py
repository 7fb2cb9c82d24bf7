"""A tiny data set, prepared, and a tiny model that was really trained on it."""

import copy
from pathlib import Path

import pytest
import yaml

from pseudolabel.engines.training import train
from pseudolabel.params import Params, Sample
from pseudolabel.prepare import prepare
from pseudolabel.sample import write_sample

ROOT = Path(__file__).parents[2]
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
TINY = {
    "model": {"config": str(ROOT / "configs/detection/rtmdet_small.py"), "image_size": [96, 96]},
    "data": {"workers": 0},
    "train": {
        "iterations": 6,
        "batch_size": 2,
        "warmup_iterations": 2,
        "checkpoint_every": 2,
    },
    "pseudo_label": {"batch_size": 4, "shard_images": 4, "score_floor": 0.001},
}


def tiny_params(root, **changes):
    values = copy.deepcopy(SHIPPED)
    for section in (TINY, {"data": {"root": str(root)}}, changes):
        for name, value in section.items():
            values[name].update(value)
    return Params.model_validate(values)


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "detection"
    write_sample(folder, Sample(seed=3, gold=6, val=3, test=3, pool=10, width=96, height=80))
    return folder


@pytest.fixture(scope="session")
def prepared(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "prepared"
    prepare(root, folder, 0.2, seed=0)
    return folder


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Scratch folders lie below the working folder: each test gets its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def model(root, prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(prepared, folder / "model", tiny_params(root))
    return folder / "model"
