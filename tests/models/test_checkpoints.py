"""Checkpoints are read without running code, and only if they are whole."""

import os
import pickle

import pytest
import torch

from pseudolabel.core.errors import ModelError
from pseudolabel.models.checkpoints import load_checkpoint, matching_weights
from pseudolabel.training.train import last_checkpoint


@pytest.mark.parametrize("length", [0, 3, 4, 200, -1])
def test_a_checkpoint_cut_short_is_refused_and_the_previous_one_is_used(tmp_path, length):
    whole = tmp_path / "iter_1.pth"
    torch.save({"state_dict": {"weight": torch.ones(300)}}, whole)
    (tmp_path / "iter_2.pth").write_bytes(whole.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"iter_2.pth: expected a checkpoint of weights, found \w"):
        load_checkpoint(tmp_path / "iter_2.pth")
    assert last_checkpoint(tmp_path) == whole
    assert [path.name for path in tmp_path.iterdir()] == [whole.name]


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


def test_a_checkpoint_with_code_is_refused_and_the_code_is_not_run(tmp_path):
    with (tmp_path / "evil.pth").open("wb") as stream:
        pickle.dump({"state_dict": Evil()}, stream)
    torch.save({"state_dict": Evil()}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(ModelError, match="expected a checkpoint of weights"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "evil").exists()


def test_weights_match_by_name_and_shape():
    model = torch.nn.ModuleDict({"backbone": torch.nn.Linear(2, 3)})
    kernel, bias = torch.ones(3, 2), torch.ones(4)
    found = matching_weights({"weight": kernel, "bias": bias}, model, "backbone.")
    assert list(found) == ["backbone.weight"]
    with pytest.raises(ModelError, match="expected weights that fit the model, found none"):
        matching_weights({"weight": kernel}, model)
