"""Optimizers and schedules by name, in trainings of a tiny classifier."""

import csv

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from pydantic import ValidationError
from torch import nn

from pseudolabel.core.errors import ModelError
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.training.optimizers import optimizer_wrapper
from pseudolabel.training.train import train

OTHERS = ["Adadelta", "Adagrad", "Adam", "Adamax", "AdamP", "ASGD", "NAdam", "RAdam"]
OTHERS += ["RMSprop", "Rprop"]
NAMES = ["AdamW", "SGD"]
NAMES += [pytest.param(name, marks=pytest.mark.slow) for name in OTHERS]
SAM = {"type": "SAM", "base": "SGD", "momentum": 0.9, "weight_decay": 0.01, "rho": 0.1}


def train_weights(data, folder, **changes):
    """The weights after three steps."""
    quick = {"iterations": 3, "warmup_iterations": 0, "ema_momentum": None, "learning_rate": 0.01}
    params = data.params(train=quick | changes)
    train(data.prepared, data.prepared, folder, params)
    return load_weights(folder / "weights.pth")


@pytest.fixture(scope="module")
def before(trained_tasks, tmp_path_factory):
    """The weights after a training that hardly changes them."""
    folder = tmp_path_factory.mktemp("frozen") / "model"
    frozen = {"optimizer": {"type": "SGD"}, "learning_rate": 1e-12}
    return train_weights(trained_tasks("classification"), folder, **frozen)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_trains_a_model(trained_tasks, before, tmp_path, name):
    after = train_weights(
        trained_tasks("classification"), tmp_path / "model", optimizer={"type": name}
    )
    difference = after["head.fc.weight"] - before["head.fc.weight"]
    assert torch.isfinite(difference).all()
    assert 1e-4 < float(difference.norm()) < 10


@pytest.mark.parametrize(
    ("name", "reason"),
    [("LBFGS", "losses of several passes"), ("SparseAdam", "sparse gradients"), ("Muon", "matric")],
)
def test_unsuitable_optimizers_are_refused_with_a_reason(trained_tasks, name, reason):
    data = trained_tasks("classification")
    with pytest.raises(
        ValidationError, match=f"optimizer: expected one other than {name} .*{reason}"
    ):
        data.params(train={"optimizer": {"type": name}})
    with pytest.raises(ValidationError, match=f"optimizer: expected one other than {name}"):
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
def test_a_wrong_name_or_argument_is_reported_before_training(
    trained_tasks, tmp_path, optimizer, message
):
    with pytest.raises(ModelError, match=message):
        train_weights(trained_tasks("classification"), tmp_path / "model", optimizer=optimizer)


def test_sam_takes_the_gradient_at_the_worst_point_nearby(trained_tasks):
    data = trained_tasks("classification")
    schedule = {"learning_rate": 0.1, "gradient_clip": None, "warmup_iterations": 0}
    plain = {"type": "SAM", "base": "SGD", "rho": 0.5}
    config = optimizer_wrapper(data.params(train=schedule | {"optimizer": plain}))
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    wrapper = build_optim_wrapper(model, config)
    wrapper.climbing = True
    wrapper.update_params((model.weight**2).sum())
    # The gradient is 4, but the distance to the worst point is always rho.
    assert model.weight.item() == pytest.approx(2.5)
    wrapper.climbing = False
    wrapper.update_params((model.weight**2).sum())
    assert model.weight.item() == pytest.approx(2.0 - 0.1 * 2 * 2.5)


@pytest.mark.slow
def test_sam_uses_a_batch_twice_but_counts_it_once(trained_tasks, tmp_path):
    data = trained_tasks("classification")
    base = {key: value for key, value in SAM.items() if key not in ("base", "rho")}
    sgd = train_weights(data, tmp_path / "sgd", optimizer=base | {"type": "SGD"}, mixup=0.5)
    near = train_weights(data, tmp_path / "near", optimizer=SAM | {"rho": 0.0}, mixup=0.5)
    far = train_weights(data, tmp_path / "far", optimizer=SAM, mixup=0.5)
    for name, value in sgd.items():
        # With rho 0, mixup and batch statistics are the same as in a training with SGD.
        if "num_batches_tracked" not in name:
            assert torch.allclose(near[name], value, atol=1e-5), name
    assert not torch.allclose(far["head.fc.weight"], sgd["head.fc.weight"], atol=1e-5)


SHAPES = [
    ("cosine", {}, [0.01, 1.0, 1.0, 0.855, 0.505, 0.155]),
    ("linear", {}, [0.01, 1.0, 1.0, 0.67, 0.34, 0.01]),
    ("polynomial", {"polynomial_power": 2.0}, [0.01, 1.0, 1.0, 0.45, 0.12, 0.01]),
    ("one_cycle", {}, [0.01, 0.505, 1.0, 0.7525, 0.2575, 0.01]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "changes", "shares"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_the_learning_rate_follows_the_schedule(trained_tasks, tmp_path, name, changes, shares):
    data = trained_tasks("classification")
    length = {"iterations": 6, "warmup_iterations": 2, "final_learning_rate": 0.01}
    train_weights(data, tmp_path / "model", **changes, **length, schedule=name)
    with (tmp_path / "model" / "curve.csv").open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(np.array(rates) / 0.01, shares, atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schedule": "one_cycle", "warmup_iterations": 0},
            "warmup_iterations: expected at least 2 with schedule one_cycle",
        ),
        ({"warmup_iterations": 1}, "warmup_iterations: expected 0, or at least 2 to rise over"),
    ],
)
def test_a_warm_up_that_is_too_short_is_refused(trained_tasks, changes, message):
    with pytest.raises(ValidationError, match=message):
        trained_tasks("classification").params(train=changes)


@pytest.mark.slow
def test_the_backbone_learns_at_a_share_of_the_learning_rate(trained_tasks, before, tmp_path):
    options = {"optimizer": {"type": "SGD"}}
    data = trained_tasks("classification")
    slow = train_weights(data, tmp_path / "slow", backbone_learning_rate=1e-9, **options)
    fast = train_weights(data, tmp_path / "fast", **options)
    for name in ("backbone.conv1.weight", "head.fc.weight"):
        assert float((fast[name] - before[name]).norm()) > 1e-5
    assert torch.allclose(slow["backbone.conv1.weight"], before["backbone.conv1.weight"], atol=1e-8)
    assert float((slow["head.fc.weight"] - before["head.fc.weight"]).norm()) > 1e-5


def test_one_cycle_refuses_another_rate_for_the_backbone(trained_tasks):
    changes = {"schedule": "one_cycle", "backbone_learning_rate": 0.1}
    with pytest.raises(ValidationError, match="backbone_learning_rate: expected 1.0 with schedule"):
        trained_tasks("classification").params(train=changes)
