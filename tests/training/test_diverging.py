"""A training that goes wrong stops at that step, with the likely reason, and writes no weights."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import InstanceData

from pseudolabel.core.errors import ModelError, PseudolabelError
from pseudolabel.models.checkpoints import save_weights
from pseudolabel.training.loss_check import check_loss
from pseudolabel.training.train import train
from tests.processes import launcher, start_stage, write_project

ENORMOUS = {"learning_rate": 1000, "warmup_iterations": 0, "gradient_clip": None}
ENORMOUS |= {"ema_momentum": None, "optimizer": {"type": "SGD", "weight_decay": 1e9}}


@pytest.mark.parametrize("any_task", ["classification", "detection"], indirect=True)
def test_an_enormous_learning_rate_stops_the_training_early(any_task, tmp_path):
    params = any_task.params(train=ENORMOUS, model={"weights": None})
    expected = r"train: iteration [23]: expected a loss .*learning_rate is too high"
    with pytest.raises(ModelError, match=expected) as caught:
        train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    assert "\n" not in str(caught.value)
    assert "train.gradient_clip is not set" in str(caught.value)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_weights_of_no_numbers_are_never_a_finished_model(any_task, tmp_path):
    steep = {"type": "SGD", "weight_decay": 2e9}
    changes = ENORMOUS | {"iterations": 1, "optimizer": steep}
    params = any_task.params(train=changes, model={"weights": None})
    # More than params.yaml allows, so that one step is enough.
    section = params.train.model_copy(update={"learning_rate": 1e38})
    params = params.model_copy(update={"train": section})
    with pytest.raises(ModelError, match=r"weights\.pth: expected finite weights"):
        train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_file_is_written_for_weights_of_no_numbers(tmp_path, value):
    with pytest.raises(ModelError, match="in 'b'"):
        save_weights(tmp_path / "w.pth", {"a": torch.ones(1), "b": torch.tensor([1.0, value])})
    assert not (tmp_path / "w.pth").exists()


NAN_IN_PROCESS_1 = """
import os

if os.environ.get("LOCAL_RANK") == "1":
    from mmengine.model import BaseModel

    whole = BaseModel.parse_losses

    def parse_losses(self, losses):
        loss, log = whole(self, losses)
        return loss, log | {"loss": log["loss"] * float("nan")}

    BaseModel.parse_losses = parse_losses
"""


@pytest.mark.slow
@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_a_loss_of_one_process_stops_all_with_one_plain_line(any_task, tmp_path):
    changes = {"launcher": launcher(2), "batch_size": 4}
    write_project(any_task.root, any_task.prepared, tmp_path, any_task.task, train=changes)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NAN_IN_PROCESS_1)
    process = start_stage(tmp_path, "train", 0, site=tmp_path / "site")
    lines = process.communicate(timeout=300)[1].decode().strip().splitlines()
    assert process.returncode == 1
    assert lines[-1].startswith("error: train: iteration 1: expected a finite loss, found nan. ")
    assert not [line for line in lines if "Traceback" in line]
    assert not (tmp_path / "rounds/0/model").exists()


def runner():
    wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.1]}, clip_grad_kwargs={"max_norm": 1})
    return SimpleNamespace(iter=6, optim_wrapper=wrapper)


def test_the_message_says_what_is_known():
    boxes = torch.tensor([[0.0, 0.0, 5.0, 5.0], [3.0, 3.0, 3.0, 9.0]])
    sample = SimpleNamespace(gt_instances=InstanceData(bboxes=boxes), img_path="images/a.png")
    losses = {"loss": 1, "loss_cls": torch.tensor(0.5), "loss_bbox": torch.tensor(float("nan"))}
    with pytest.raises(ModelError) as caught:
        check_loss(float("nan"), 2.0, runner(), losses, {"data_samples": [sample]})
    assert "iteration 7" in str(caught.value)
    assert "not finite: loss_bbox)" in str(caught.value)
    assert "a box without area in images/a.png" in str(caught.value)
    assert "gradient_clip" not in str(caught.value)


@pytest.mark.parametrize(("first", "loss"), [(2.0, 1e7), (1e9, 1e10), (2.0, float("inf"))])
def test_a_loss_that_explodes_is_an_error(first, loss):
    with pytest.raises(ModelError, match="expected a loss that falls"):
        check_loss(loss, first, runner(), {}, {})
    check_loss(500.0, 2.0, runner(), {}, {})


@pytest.mark.slow
@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 1000.0, "schedule": "one_cycle"},
        {"learning_rate": 1e-12, "schedule": "polynomial", "polynomial_power": 100.0},
        {"learning_rate": 1e-12, "schedule": "linear", "final_learning_rate": 5e-324},
        {"gradient_clip": 1e6, "polynomial_power": 0.01, "schedule": "polynomial"},
        {"gradient_clip": 1e-6, "final_learning_rate": 0.0},
        {"mixup": 1000.0, "label_smoothing": 1 - 1e-16},
        {"cutmix": 0.001, "mixup": 0.001},
        {"oversample_threshold": 5e-324, "ema_momentum": 5e-324},
        {"optimizer": {"type": "SGD", "weight_decay": 2.0**31 - 1, "momentum": 1.0}},
        {"optimizer": {"type": "AdamW", "eps": 5e-324}},
        {"snapshots": 5, "checkpoint_every": 2**31 - 1},
    ],
    ids=str,
)
def test_the_largest_and_smallest_numbers_train_or_stop_with_a_plain_error(
    any_task, tmp_path, changes
):
    params = any_task.params(train=changes, model={"weights": None})
    try:
        train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    except PseudolabelError as error:
        text = str(error)
    else:
        text = "train: no error"
    assert text.startswith(
        ("train: iteration", "train: no", "the model or the optimizer", f"{tmp_path}")
    )
