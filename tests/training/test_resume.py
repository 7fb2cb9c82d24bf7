"""A training that stops anywhere and resumes writes the bytes of one that never stopped."""

import shutil

import pytest

from pseudolabel.core.per_round import in_round
from pseudolabel.params.common import CHAMPION
from pseudolabel.training.loss_curve import LossCurveHook
from pseudolabel.training.train import train
from tests.builders import pack_label_maps

AUGMENTATIONS = {
    "detection": [
        {"type": "Mosaic", "img_scale": [96, 96]},
        {"type": "albumentations.RandomBrightnessContrast", "p": 1.0},
    ],
    "instance": [{"type": "RandomFlip", "prob": 0.5}, {"type": "CopyPaste"}],
    "semantic": [{"type": "RandomRotate", "prob": 0.5, "degree": 20}],
    "classification": [{"type": "ColorJitter", "brightness": 0.5}],
}
"""Each draws from another generator: of Python, numpy, torch or albumentations."""


def with_silver(task, folder):
    """Training data whose silver has the gold labels: batches have both."""
    for name in ("gold", "silver"):
        shutil.copytree(task.prepared / "gold", folder / name)
    if task.task == "semantic":
        pack_label_maps(folder / "silver")
    return folder


def stop_at(iteration, monkeypatch):
    """Stop the training in an iteration, before it is counted."""
    original = LossCurveHook.after_train_iter

    def stop(self, runner, *arguments, **outputs):
        if runner.iter == iteration:
            raise KeyboardInterrupt
        original(self, runner, *arguments, **outputs)

    monkeypatch.setattr(LossCurveHook, "after_train_iter", stop)


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("any_task", "workers"),
    [
        pytest.param("classification", 0, marks=pytest.mark.slow),
        pytest.param("detection", 0, marks=pytest.mark.slow),
        pytest.param("instance", 0, marks=pytest.mark.slow),
        pytest.param("semantic", 0, marks=pytest.mark.slow),
        pytest.param("classification", 2, marks=pytest.mark.slow),
    ],
    indirect=["any_task"],
)
def test_a_stopped_training_ends_with_the_same_bytes(any_task, workers, tmp_path, monkeypatch):
    data = with_silver(any_task, tmp_path / "merged")
    changes = {
        # Rows of the curve are means of several losses: a checkpoint falls between two rows.
        "iterations": 7,
        "checkpoint_every": 3,
        "gold_only_share": 0.3,
        "ema_momentum": 0.1,
        "augmentations": AUGMENTATIONS[any_task.task],
    }
    monkeypatch.setattr("pseudolabel.training.loss_curve._CURVE_ROWS", 3)
    params = in_round(any_task.params(train=changes, model={"weights": CHAMPION}), 1)

    def run(name, loader_workers):
        used = params.model_copy(
            update={"data": params.data.model_copy(update={"workers": loader_workers})}
        )
        train(data, any_task.prepared, tmp_path / name, used, champion=any_task.model)
        return written(tmp_path / name)

    unbroken = run("unbroken", 0)
    shutil.rmtree(tmp_path / ".scratch")
    for iteration in (1, 4, 5):
        with monkeypatch.context() as patch:
            stop_at(iteration, patch)
            with pytest.raises(KeyboardInterrupt):
                run("stopped", workers)
    assert not (tmp_path / "stopped").exists()
    assert run("stopped", workers) == unbroken
