"""Online training by consistency, beside the loop: gold's labels and confident predictions."""

import pytest
import torch
from mmengine.registry import init_default_scope

from benchmarks.consistency_model import ConsistencyModel
from benchmarks.lift_arms import consistency, gold
from benchmarks.lift_bench import Bench
from pseudolabel.core.files import read_json
from pseudolabel.core.records import Category
from pseudolabel.models import PACKAGES
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.models.configs import model_config
from pseudolabel.raw.sample import SAMPLES
from tests.conftest import SMALL, tiny_params

AUGMENTATIONS = [
    {"type": "albumentations.ColorJitter", "p": 1.0},
    {"type": "albumentations.CoarseDropout", "p": 0.5},
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "method"),
    [("classification", "fixmatch"), ("classification", "freematch"), ("semantic", "unimatch")],
)
def test_a_model_of_gold_goes_on_with_the_pool(tmp_path, task, method):
    SAMPLES[task](tmp_path / "raw", SMALL)
    params = tiny_params(tmp_path / "raw", task, train={"silver_augmentations": AUGMENTATIONS})
    bench = Bench(params, tmp_path / "data", tmp_path / "data" / "seed_0", sees_test=True)
    gold(bench)
    row = consistency(bench, method)
    assert row["val"][row["headline"][0]] >= 0
    folders = [bench.run(arm).model for arm in ("gold", method)]
    first, trained = (load_weights(folder / "weights.pth") for folder in folders)
    assert first.keys() == trained.keys()
    assert any(not torch.equal(first[name], trained[name]) for name in first)
    # Nobody has labelled the pool: it is not among the images that the model has seen labels of.
    assert len({tuple(read_json(folder / "training.json")["images"]) for folder in folders}) == 1


def consistency_model(**options):
    """A tiny classifier with three classes."""
    params = tiny_params("raw", "classification")
    categories = [Category(number, str(number)) for number in range(3)]
    init_default_scope(PACKAGES["classification"])
    values = {"gold": 2, "threshold": 0.5, "adaptive": False, "perturbed": False}
    return ConsistencyModel(model_config(params, categories), **(values | options))


def test_labels_are_the_predictions_above_the_threshold():
    images = torch.rand(4, 3, 96, 96)
    for threshold, used in ((0.0, True), (1.01, False)):
        model = consistency_model(threshold=threshold)
        labels, is_used = model._labels(images)
        model.model.eval()
        logits = model._logits(list(model.model.extract_feat(images)))
        assert torch.equal(labels, logits.argmax(1))
        assert is_used.tolist() == [used] * 4
        loss = model._pool_loss(list(model.model.extract_feat(images)), labels, is_used)
        assert (loss > 0) == used


def test_adaptive_thresholds_follow_the_confidence_of_the_model():
    model = consistency_model(threshold=None, adaptive=True)
    before = model.confidence.item()
    assert before == pytest.approx(1 / 3)
    for _ in range(200):
        model._labels(torch.rand(4, 3, 96, 96))
    model.model.eval()
    logits = model._logits(list(model.model.extract_feat(torch.rand(64, 3, 96, 96))))
    values = logits.softmax(1)
    assert model.confidence.item() == pytest.approx(values.max(1)[0].mean().item(), abs=0.05)
    assert model.shares.sum().item() == pytest.approx(1, abs=1e-4)
