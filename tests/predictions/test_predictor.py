"""Trained models with several views, and the stability of their predictions."""

import cv2
import numpy as np
import pytest
import torch

from pseudolabel.core import masks
from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_file
from pseudolabel.evaluation.score import score_model
from pseudolabel.formats.shards import read_stabilities, shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.predictions.image_loader import image_loader
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.training.train import train
from tests.builders import same_rows
from tests.conftest import tiny_params
from tests.finding import find_all
from tests.leaks import without_hashes

HEAVY = ("semantic", "classification", "instance")
TASKS = ["detection"]
TASKS += [pytest.param(name, marks=pytest.mark.slow) for name in HEAVY]
LONGER = {"iterations": 60, "ema_momentum": None}
"""The training after which a tiny model predicts masks that are not empty."""
MIRROR = np.array([-1, 1, -1, 1]), np.array([96, 0, 96, 0])


def mirror_boxes(boxes_xyxy):
    factors, shifts = MIRROR
    return boxes_xyxy[:, [2, 1, 0, 3]] * factors + shifts


def write_mirrored(root, images, folder):
    for name in images.file_names:
        pixels = cv2.imread(str(root / "images" / name))
        cv2.imwrite(str(folder / name), pixels[:, ::-1])


def test_an_image_and_its_mirror_image_have_the_same_objects_if_both_are_views(
    root, prepared, model, tmp_path
):
    pool = without_hashes(SplitFolder(prepared / "pool").read().images[:3])
    write_mirrored(root, pool, tmp_path)
    views = {"scales": (1.0, 1.34), "flip": True, "score_floor": 0.0001}

    def predict(folder, changes):
        section = tiny_params(root).pseudo_label.model_copy(update=changes)
        return find_all(TrainedModels([model], folder, section), pool)

    plain, mirrored = predict(root / "images", views), predict(tmp_path, views)
    assert len(plain) == len(mirrored) > 0
    assert np.sort(mirrored.scores) == pytest.approx(np.sort(plain.scores), abs=1e-4)
    expected = np.sort(mirror_boxes(plain.boxes_xyxy), axis=0)
    assert np.sort(mirrored.boxes_xyxy, axis=0) == pytest.approx(expected, abs=0.05)
    for changes in ({"flip": False}, {"scales": (1.0,)}):
        assert not same_rows(plain, predict(root / "images", views | changes))


@pytest.mark.parametrize("any_task", ["semantic", "classification"], indirect=True)
def test_models_are_scored_with_all_views(any_task):
    scores = []
    for changes in ({}, {"scales": (0.75, 1.25), "flip": True}):
        params = any_task.params()
        section = params.evaluate.model_copy(update=changes)
        params = params.model_copy(update={"evaluate": section})
        scores.append(score_model(any_task.model, any_task.prepared, params).row["val"])
    assert scores[0] != scores[1]


@pytest.mark.slow
@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_every_image_has_a_stability(any_task, tmp_path):
    schedule = {"snapshots": 2} | (LONGER if any_task.task == "instance" else {})
    prepared, model = any_task.prepared, tmp_path / "model"
    train(prepared, prepared, model, any_task.params(train=schedule))
    last, earlier = load_weights(model / "weights.pth"), load_weights(model / "earlier_2.pth")
    assert any(not torch.equal(last[name], earlier[name]) for name in last)
    if any_task.task != "instance":
        assert hash_file(model / "weights.pth") == hash_file(any_task.model / "weights.pth")
    label_pool(prepared, model, tmp_path / "plain", 1, any_task.params())
    pool = SplitFolder(prepared / "pool").read().images
    for compared_with in ("checkpoints", "flip"):
        folder = tmp_path / compared_with
        params = any_task.params(pseudo_label={"stability": compared_with})
        label_pool(prepared, model, folder, 1, params)
        ids, values = read_stabilities(folder)
        assert ids.tolist() == pool.ids.tolist()
        assert ((values >= 0) & (values <= 1 + 1e-6)).all()
        # If predictions were compared with themselves, all values would be 1 or 0.
        assert len(np.unique(values)) > 2
        # The comparison does not change the predictions.
        shards = zip(shard_paths(folder), shard_paths(tmp_path / "plain"), strict=True)
        assert all(one.read_bytes() == other.read_bytes() for one, other in shards)


def test_missing_earlier_weights_are_reported(root, prepared, model, tmp_path):
    params = tiny_params(root, pseudo_label={"stability": "checkpoints"})
    with pytest.raises(ModelError, match=r"found none: set train\.snapshots"):
        label_pool(prepared, model, tmp_path / "predictions", 1, params)


def mirrored_predictions(task, model, tmp_path):
    """Predictions for the mirrored view, mirrored back, and for mirrored files."""
    pool = without_hashes(SplitFolder(task.prepared / "pool").read().images)[:3]
    write_mirrored(task.root, pool, tmp_path)
    section = task.params().pseudo_label
    models = TrainedModels([model], task.root / "images", section, compared_with="flip")
    loader = image_loader(pool, task.root / "images", models.plan.pipelines, len(pool), 0)
    batches, _, _ = next(iter(loader))
    view = models._forward(models.comparisons[0], batches, models.options)
    return view, find_all(TrainedModels([model], tmp_path, section), pool)


def test_boxes_of_the_mirrored_view_are_mirrored_back(trained_tasks, tmp_path):
    task = trained_tasks("detection")
    view, files = mirrored_predictions(task, task.model, tmp_path)
    assert len(view)
    assert view.boxes_xyxy == pytest.approx(mirror_boxes(files.boxes_xyxy), abs=1e-3)
    assert view.scores == pytest.approx(files.scores, abs=1e-5)


@pytest.mark.slow
def test_masks_of_the_mirrored_view_are_mirrored_back(trained_tasks, tmp_path):
    task = trained_tasks("instance")
    train(task.prepared, task.prepared, tmp_path / "longer", task.params(train=LONGER))
    view, files = mirrored_predictions(task, tmp_path / "longer", tmp_path)
    assert len(view)
    pixels, mirrored = (masks.decode(rows.masks, 80, 96) for rows in (view, files))
    assert np.array_equal(pixels, mirrored[:, :, ::-1])
