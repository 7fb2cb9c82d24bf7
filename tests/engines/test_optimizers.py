"""Optimizers and schedules by name, in real trainings of a tiny classifier."""

import csv

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from pydantic import ValidationError
from torch import nn

from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.engines.optimizers import optimizer_wrapper
from pseudolabel.engines.training import train
from pseudolabel.errors import ModelError

NAMES = ["Adadelta", "Adagrad", "Adam", "AdamP", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam"]
NAMES += ["RMSprop", "Rprop", "SGD"]
SAM = {"type": "SAM", "base": "SGD", "momentum": 0.9, "weight_decay": 0.01, "rho": 0.1}


def trained(data, folder, **changes):
    """The weights after three steps."""
    quick = {"iterations": 3, "warmup_iterations": 0, "ema_momentum": None, "learning_rate": 0.01}
    params = data.params(train=quick | changes)
    train(data.prepared, data.prepared, folder, params)
    return load_weights(folder / "weights.pth")


@pytest.fixture(scope="module")
def before(trained_tasks, tmp_path_factory):
    """The weights of a training that hardly moves them."""
    folder = tmp_path_factory.mktemp("still") / "model"
    still = {"optimizer": {"type": "SGD"}, "learning_rate": 1e-12}
    return trained(trained_tasks("classification"), folder, **still)


@pytest.mark.parametrize("name", NAMES)
def test_optimizers_of_all_names_train_a_model(trained_tasks, before, tmp_path, name):
    after = trained(trained_tasks("classification"), tmp_path / "model", optimizer={"type": name})
    moved = after["head.fc.weight"] - before["head.fc.weight"]
    assert torch.isfinite(moved).all()
    assert 1e-4 < float(moved.norm()) < 10


@pytest.mark.parametrize(
    ("name", "reason"),
    [("LBFGS", "losses of several passes"), ("SparseAdam", "sparse gradients"), ("Muon", "matric")],
)
def test_those_that_cannot_train_these_models_are_refused_with_the_reason(
    trained_tasks, name, reason
):
    data = trained_tasks("classification")
    with pytest.raises(ValidationError, match=f"optimizer {name} does not fit: .*{reason}"):
        data.params(train={"optimizer": {"type": name}})
    with pytest.raises(ValidationError, match=f"optimizer {name} does not fit"):
        data.params(train={"optimizer": {"type": "SAM", "base": name}})


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ({"type": "Adamm"}, "train.optimizer: expected the name of an optimizer, found 'Adamm'"),
        ({"type": "SGD", "momentun": 0.9}, "momentun"),
        ({"type": "SAM", "base": "Adamm"}, "SAM's base: expected the name of an optimizer, found"),
        ({"type": "SAM"}, "base"),
    ],
)
def test_a_wrong_name_or_argument_is_told_before_training(
    trained_tasks, tmp_path, optimizer, message
):
    with pytest.raises(ModelError, match=message):
        trained(trained_tasks("classification"), tmp_path / "model", optimizer=optimizer)


def test_sam_steps_by_the_gradient_at_the_worst_point_nearby(trained_tasks):
    data = trained_tasks("classification")
    steady = {"learning_rate": 0.1, "gradient_clip": None, "warmup_iterations": 0}
    plain = {"type": "SAM", "base": "SGD", "rho": 0.5}
    config = optimizer_wrapper(data.params(train=steady | {"optimizer": plain}))
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    wrapper = build_optim_wrapper(model, config)
    wrapper.climbing = True
    wrapper.update_params((model.weight**2).sum())
    # The gradient is 4: up the hill by rho, whatever its size.
    assert model.weight.item() == pytest.approx(2.5)
    wrapper.climbing = False
    wrapper.update_params((model.weight**2).sum())
    assert model.weight.item() == pytest.approx(2.0 - 0.1 * 2 * 2.5)


def test_sam_shows_a_batch_twice_and_counts_it_once(trained_tasks, tmp_path):
    data = trained_tasks("classification")
    base = {key: value for key, value in SAM.items() if key not in ("base", "rho")}
    sgd = trained(data, tmp_path / "sgd", optimizer=base | {"type": "SGD"}, mixup=0.5)
    near = trained(data, tmp_path / "near", optimizer=SAM | {"rho": 0.0}, mixup=0.5)
    far = trained(data, tmp_path / "far", optimizer=SAM, mixup=0.5)
    for name, value in sgd.items():
        # What is mixed, and the statistics of batches, are those of a plain training.
        if "num_batches_tracked" not in name:
            assert torch.allclose(near[name], value, atol=1e-5), name
    assert not torch.allclose(far["head.fc.weight"], sgd["head.fc.weight"], atol=1e-5)


SHAPES = [
    ("cosine", {}, [0.01, 1.0, 1.0, 0.855, 0.505, 0.155]),
    ("linear", {}, [0.01, 1.0, 1.0, 0.67, 0.34, 0.01]),
    ("polynomial", {"polynomial_power": 2.0}, [0.01, 1.0, 1.0, 0.45, 0.12, 0.01]),
    ("one_cycle", {}, [0.01, 0.505, 1.0, 0.7525, 0.2575, 0.01]),
]


@pytest.mark.parametrize(("name", "changes", "shares"), SHAPES, ids=[it[0] for it in SHAPES])
def test_the_learning_rate_rises_and_falls_as_asked(trained_tasks, tmp_path, name, changes, shares):
    data = trained_tasks("classification")
    length = {"iterations": 6, "warmup_iterations": 2, "final_learning_rate": 0.01}
    trained(data, tmp_path / "model", **changes, **length, schedule=name)
    with (tmp_path / "model" / "curve.csv").open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(np.array(rates) / 0.01, shares, atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "one_cycle", "warmup_iterations": 0}, "one_cycle needs warmup_iterations"),
        ({"warmup_iterations": 1}, "warmup_iterations must be 0, or 2 and more"),
    ],
)
def test_what_cannot_rise_is_refused(trained_tasks, changes, message):
    with pytest.raises(ValidationError, match=message):
        trained_tasks("classification").params(train=changes)
