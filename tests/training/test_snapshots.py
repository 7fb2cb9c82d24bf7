"""The weights that are kept during a training."""

import pytest
import torch

from pseudolabel.formats.model_folder import kept_weights, own_iterations
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.weights_record import read_record
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.plain_runner import PlainRunner
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import build_runner, train
from tests.conftest import tiny_params


@pytest.fixture
def saved(root, prepared, tmp_path, monkeypatch):
    """Run a training with snapshots in tmp_path; return the names of its files as saved."""
    names = []
    original = PlainRunner.save_checkpoint

    def recorded(self, folder, name, *arguments, **options):
        names.append(name)
        return original(self, folder, name, *arguments, **options)

    monkeypatch.setattr(PlainRunner, "save_checkpoint", recorded)
    params = tiny_params(root, model={"weights": None}, train={"snapshots": 2})
    sources = TrainingData.in_folder(prepared)
    categories = SplitFolder(sources.gold).read().categories
    config = build_config(sources, categories, tmp_path, params, InitialWeights(None))
    build_runner(config).train()
    return names


def test_a_snapshot_has_the_averaged_weights(saved, tmp_path):
    assert "snapshot_4.pth" in saved
    snapshot = load_weights(tmp_path / "snapshot_4.pth")
    checkpoint = torch.load(tmp_path / "iter_4.pth", weights_only=False)
    averaged, last_step = checkpoint["state_dict"], checkpoint["ema_state_dict"]
    assert all(torch.equal(snapshot[name], averaged[name]) for name in averaged)
    names = [name for name in snapshot if snapshot[name].is_floating_point()]
    assert any(not torch.equal(snapshot[name], last_step[f"module.{name}"]) for name in names)


def test_a_snapshot_is_saved_before_the_checkpoint_of_its_step(saved):
    # A training that is killed between the two resumes before the snapshot, not after it.
    assert saved == [
        "snapshot_2.pth",
        "iter_2.pth",
        "snapshot_4.pth",
        "iter_4.pth",
        "snapshot_6.pth",
        "iter_6.pth",
    ]


@pytest.mark.slow
def test_each_snapshot_has_a_record_with_its_own_iterations(root, prepared, model, tmp_path):
    train(prepared, prepared, tmp_path / "model", tiny_params(root, train={"snapshots": 2}))
    files = kept_weights(tmp_path / "model")
    assert [own_iterations(path) for path in files] == [2, 4, 6]
    first, _, last = (read_record(path) for path in files)
    assert first | {"iterations": 6} == last
    # Snapshots do not change the training.
    assert files[-1].read_bytes() == (model / "weights.pth").read_bytes()
