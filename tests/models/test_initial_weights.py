"""Initial weights of a training: the champion of the previous round, if it is the same model."""

import json
import shutil

import pytest
import torch

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_file
from pseudolabel.core.per_round import in_round
from pseudolabel.formats.model_folder import weights_record
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights, save_weights
from pseudolabel.models.initial_weights import InitialWeights, resolve_champion
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import train
from tests.conftest import ROOT, tiny_params

# One step with a tiny learning rate hardly changes the weights.
FROZEN = {"learning_rate": 1e-9, "iterations": 1, "warmup_iterations": 0}
FROZEN |= {"ema_momentum": None, "optimizer": {"type": "SGD"}}
KERNEL = "backbone.stem.0.conv.weight"


def read_record(model):
    return json.loads((model / "training.json").read_text())


def initial_weights(model):
    return read_record(model)["initial_weights"]


def test_a_student_starts_from_the_champion(root, prepared, model, tmp_path):
    params = in_round(tiny_params(root, train=FROZEN), 1)
    train(prepared, prepared, tmp_path / "student", params, champion=model)
    before, after = (
        load_weights(folder / "weights.pth") for folder in (model, tmp_path / "student")
    )
    assert torch.allclose(before[KERNEL], after[KERNEL], atol=1e-6)
    assert initial_weights(tmp_path / "student") == hash_file(model / "weights.pth")
    assert initial_weights(model) is None
    records = [weights_record(folder / "weights.pth") for folder in (model, tmp_path / "student")]
    assert [record.iterations for record in records] == [6, 7]
    assert not any(record.unknown_origin for record in records)


def test_a_student_starts_from_random_weights_if_weights_is_null(root, prepared, model, tmp_path):
    params = in_round(tiny_params(root, train=FROZEN, model={"weights": None}), 1)
    train(prepared, prepared, tmp_path / "student", params, champion=model)
    before, after = (
        load_weights(folder / "weights.pth") for folder in (model, tmp_path / "student")
    )
    assert not torch.allclose(before[KERNEL], after[KERNEL], atol=1e-3)
    assert initial_weights(tmp_path / "student") is None


@pytest.mark.parametrize("fault", ["missing", "of another shape"])
def test_a_student_of_another_kind_starts_from_random_weights(
    root, prepared, model, tmp_path, capfd, fault
):
    weights = load_weights(model / "weights.pth")
    kernel = weights.pop(KERNEL)
    if fault != "missing":
        weights[KERNEL] = kernel[:1]
    champion = tmp_path / "champion"
    champion.mkdir()
    save_weights(champion / "weights.pth", weights)
    params = in_round(tiny_params(root, train=FROZEN), 1)
    train(prepared, prepared, tmp_path / "student", params, champion=champion)
    assert initial_weights(tmp_path / "student") is None
    assert f"{champion} is another kind of model" in capfd.readouterr().err


def test_a_student_of_another_kind_starts_from_the_backbone_of_its_package(
    root, prepared, model, capfd
):
    categories = SplitFolder(prepared / "gold").read().categories
    lite = {"config": str(ROOT / "configs/detection/rtmdet_lite0.py"), "weights": "champion"}
    params = resolve_champion(tiny_params(root, model=lite), categories, model)
    assert params.model.weights == "backbone"
    assert "its student begins from the packaged backbone" in capfd.readouterr().err


def test_weights_are_pretrained_unless_this_project_trained_all_of_them(
    root, prepared, model, tmp_path
):
    categories = SplitFolder(prepared / "gold").read().categories

    def is_pretrained(weights):
        params = tiny_params(root, model={"weights": weights})
        return InitialWeights.from_params(resolve_champion(params, categories, None)).pretrained

    assert not is_pretrained(None)
    assert not is_pretrained("champion")
    assert not is_pretrained(str(model / "weights.pth"))
    assert is_pretrained("https://nowhere.invalid/weights.pth")
    shutil.copy(model / "weights.pth", tmp_path)
    record = read_record(model) | {"pretrained": True}
    (tmp_path / "training.json").write_text(json.dumps(record))
    assert is_pretrained(str(tmp_path / "weights.pth"))


def test_a_backbone_is_pretrained_and_must_be_in_the_config(root):
    zoo = "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
    params = tiny_params(root, model={"weights": "backbone", "config": zoo})
    weights = InitialWeights.from_params(params)
    assert weights.pretrained
    assert weights.prefix == "backbone."
    assert weights.record()["initial_weights"] == "backbone"
    with pytest.raises(ModelError, match="names no pretrained backbone"):
        InitialWeights.from_params(tiny_params(root, model={"weights": "backbone"}))


def test_each_round_uses_images_in_another_order(root, prepared, model, tmp_path):
    sources = TrainingData.in_folder(prepared)
    categories = SplitFolder(sources.gold).read().categories

    def seed(weights, number):
        params = in_round(tiny_params(root, model={"weights": weights}), number)
        initial = InitialWeights.from_params(params)
        config = build_config(sources, categories, tmp_path, params, initial)
        return config.train_dataloader.sampler.seed

    champion = str(model / "weights.pth")
    assert seed(champion, 1) != seed(champion, 2)
    # Students that begin from random weights would be the same model twice.
    assert seed(None, 1) != seed(None, 2)
