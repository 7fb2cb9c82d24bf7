"""Checkpoints of a training hold plain values, and resuming from one runs no code of it."""

import pytest
import torch

from pseudolabel.core.errors import ModelError
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import train_in_scratch
from tests.conftest import tiny_params

SHORT = {"iterations": 4, "schedule": "one_cycle"}
CODE = "import os\nos.system('touch ran')\n"


@pytest.fixture
def scratch(root, prepared, tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    params = tiny_params(root, model={"weights": None}, train=SHORT)
    train_in_scratch(folder, TrainingData.in_folder(prepared), params)
    return folder


def resume(scratch, prepared, root):
    params = tiny_params(root, model={"weights": None}, train=SHORT | {"iterations": 6})
    train_in_scratch(scratch, TrainingData.in_folder(prepared), params)


def test_a_checkpoint_holds_plain_values_and_its_code_is_not_run(scratch, prepared, root, tmp_path):
    added = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    checkpoint = torch.load(scratch / "iter_4.pth", weights_only=True)
    torch.serialization.add_safe_globals(added)
    assert {"optimizer", "param_schedulers", "state_dict", "ema_state_dict"} <= set(checkpoint)
    checkpoint["meta"]["config"] = CODE
    kept = checkpoint["message_hub"]["runtime_info"]["keep_ckpt_ids"]
    checkpoint["message_hub"]["runtime_info"]["keep_ckpt_ids"] = ["../../other", *kept]
    torch.save(checkpoint, scratch / "iter_4.pth")
    resume(scratch, prepared, root)
    assert not (tmp_path / "ran").exists()
    # Steps 2 and 4 were kept before; step 2 goes when 6 is saved.
    assert sorted(path.name for path in scratch.glob("iter_*")) == ["iter_4.pth", "iter_6.pth"]


def test_a_checkpoint_of_something_else_is_named(scratch, prepared, root):
    torch.save({"state_dict": {}, "meta": {"iter": "four"}}, scratch / "iter_4.pth")
    with pytest.raises(ModelError, match=r"iter_4\.pth: expected a checkpoint of this training"):
        resume(scratch, prepared, root)
