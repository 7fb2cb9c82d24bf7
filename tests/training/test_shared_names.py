"""Trainings in one process do not share mmengine's logs, even if they start in the same second."""

import time
from pathlib import Path
from types import SimpleNamespace

from mmengine.runner import runner as mmengine_runner

from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import build_runner
from tests.conftest import tiny_params


def test_trainings_of_one_second_have_their_own_logs(root, prepared, tmp_path, monkeypatch):
    # mmengine names its logs after the second.
    now = time.time()
    clock = SimpleNamespace(**vars(time) | {"time": lambda: now})
    monkeypatch.setattr(mmengine_runner, "time", clock)
    params, sources = tiny_params(root), TrainingData.in_folder(prepared)
    categories = SplitFolder(sources.gold).read().categories
    runners = []
    for name in "ab":
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        scratch = Path("scratch")
        weights = InitialWeights.from_params(params)
        runners.append(build_runner(build_config(sources, categories, scratch, params, weights)))
    first, second = runners
    assert first.timestamp == second.timestamp
    assert first.visualizer is not second.visualizer
    assert first.message_hub is not second.message_hub
    for name in "ab":
        assert list((tmp_path / name).glob("scratch/*/vis_data/config.py"))
