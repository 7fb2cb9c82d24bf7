"""What trainings begin from: the champion of the round before, where it is of the same kind."""

import json
import shutil

import pytest
import torch

from pseudolabel.engines.checkpoints import load_weights, save_weights
from pseudolabel.engines.first_weights import pretrained
from pseudolabel.engines.training import train
from pseudolabel.engines.training_config import Sources, build_config
from pseudolabel.files import hash_file
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.model_folder import iterations_in_all
from tests.engines.conftest import tiny_params

# One step at next to no learning rate leaves the weights where they were.
STANDING = {"learning_rate": 1e-9, "iterations": 1, "warmup_iterations": 0}
STANDING |= {"ema_momentum": None, "optimizer": {"type": "SGD"}}
LEARNED = "backbone.stem.0.conv.weight"


def record_of(model):
    return json.loads((model / "training.json").read_text())


def began_from(model):
    return record_of(model)["first_weights"]


def test_a_student_goes_on_from_the_champion(root, prepared, model, tmp_path):
    params = tiny_params(root, train=STANDING).in_round(1)
    train(prepared, prepared, tmp_path / "student", params, champion=model)
    before, after = (load_weights(it / "weights.pth") for it in (model, tmp_path / "student"))
    assert torch.allclose(before[LEARNED], after[LEARNED], atol=1e-6)
    assert began_from(tmp_path / "student") == hash_file(model / "weights.pth")
    assert began_from(model) is None
    assert [iterations_in_all(it) for it in (model, tmp_path / "student")] == [6, 7]


def test_a_student_begins_anew_where_that_is_asked_for(root, prepared, model, tmp_path):
    params = tiny_params(root, train=STANDING, model={"weights": None}).in_round(1)
    train(prepared, prepared, tmp_path / "student", params, champion=model)
    before, after = (load_weights(it / "weights.pth") for it in (model, tmp_path / "student"))
    assert not torch.allclose(before[LEARNED], after[LEARNED], atol=1e-3)
    assert began_from(tmp_path / "student") is None


@pytest.mark.parametrize("fault", ["missing", "of another shape"])
def test_a_student_of_another_kind_begins_anew(root, prepared, model, tmp_path, capfd, fault):
    state = load_weights(model / "weights.pth")
    kernel = state.pop(LEARNED)
    if fault != "missing":
        state[LEARNED] = kernel[:1]
    champion = tmp_path / "champion"
    champion.mkdir()
    save_weights(champion / "weights.pth", state)
    params = tiny_params(root, train=STANDING).in_round(1)
    train(prepared, prepared, tmp_path / "student", params, champion=champion)
    assert began_from(tmp_path / "student") is None
    assert f"{champion} is a model of another kind" in capfd.readouterr().err


def test_weights_are_pretrained_unless_all_of_them_were_learned_here(root, model, tmp_path):
    def with_weights(weights):
        return tiny_params(root, model={"weights": weights})

    own = str(model / "weights.pth")
    assert not pretrained(with_weights(None))
    assert not pretrained(with_weights("champion"))
    assert not pretrained(with_weights(own))
    assert pretrained(with_weights("backbone"))
    assert pretrained(with_weights("https://nowhere.invalid/weights.pth"))
    record = record_of(model)
    shutil.copy(model / "weights.pth", tmp_path)
    (tmp_path / "training.json").write_text(json.dumps(record | {"pretrained": True}))
    assert pretrained(with_weights(str(tmp_path / "weights.pth")))


def test_rounds_that_go_on_from_the_same_champion_take_images_in_another_order(
    root, prepared, model, tmp_path
):
    sources = Sources.of(prepared)
    categories = read_coco(sources.gold / FILE).categories

    def order(weights, number):
        params = tiny_params(root, model={"weights": weights}).in_round(number)
        return build_config(sources, categories, tmp_path, params).train_dataloader.sampler.seed

    assert order(str(model / "weights.pth"), 1) != order(str(model / "weights.pth"), 2)
    assert order(None, 1) == order(None, 2)
