"""The searches for training parameters and inference thresholds, with tiny real models."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import optuna
import pytest

from pseudolabel.core.errors import DataError, ParamsError
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.search.inference import (
    _filter_predictions,
    _predict_split,
    _with_evaluate,
    tune_inference,
)
from pseudolabel.search.training import _write_share, tune_training
from pseudolabel.training.train import train

SHORT = {"iterations": 2, "warmup_iterations": 0}


@pytest.fixture(scope="session")
def tunable(trained_tasks, tmp_path_factory):
    """A task's tiny model and its data; tuning has the images of val."""

    def get(task):
        data, folder = trained_tasks(task), tmp_path_factory.mktemp("tunable") / "prepared"
        shutil.copytree(data.prepared, folder)
        shutil.copytree(folder / "val", folder / "tuning", dirs_exist_ok=True)
        return replace(data, prepared=folder)

    return get


def tune_and_read(data, tmp_path, **tune):
    """Search, and return the parameters and the rows of trials.csv."""
    params = data.params(train=SHORT, tune=tune)
    tune_training(data.prepared, tmp_path / "study", params)
    with (tmp_path / "study" / "trials.csv").open() as stream:
        return params, list(csv.DictReader(stream))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["detection", "semantic", "classification"])
def test_each_trial_trains_a_model_and_trial_0_has_the_values_in_use(tunable, tmp_path, task):
    data = tunable(task)
    bounds = {"name": "train.learning_rate", "low": 0.0001, "high": 0.1, "log": True}
    params, rows = tune_and_read(data, tmp_path, trials=2, parameters=[bounds])
    assert float(rows[0]["train.learning_rate"]) == params.train.learning_rate
    assert 0.0001 <= float(rows[1]["train.learning_rate"]) <= 0.1
    assert [0 <= float(row["value"]) <= 1 for row in rows] == [True, True]
    # Only the result of the last training is kept, in case DVC has not recorded the output.
    assert len(list((tmp_path / ".scratch").rglob("weights.pth"))) == 1


@pytest.mark.slow
def test_val_and_test_do_not_change_the_result(tunable, tmp_path):
    data = tunable("classification")
    _, rows = tune_and_read(data, tmp_path, trials=1)
    for split in ("val", "test"):
        path = data.prepared / split / "coco.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"annotations": []}))
    (tmp_path / "again").mkdir()
    _, again = tune_and_read(data, tmp_path / "again", trials=1)
    assert again == rows


def test_a_share_of_gold_has_its_labels_and_label_maps(tunable, tmp_path):
    data = tunable("semantic")
    gold_folder = SplitFolder(data.prepared / "gold")
    half_folder, again = SplitFolder(tmp_path / "half"), SplitFolder(tmp_path / "again")
    for folder in (half_folder, again):
        _write_share(gold_folder, folder, 0.5, 0)
    gold, half = gold_folder.read(), half_folder.read()
    assert len(half.images) == len(gold.images) / 2
    assert set(half.images.ids) < set(gold.images.ids)
    assert set(half.annotations.image_ids) <= set(half.images.ids)
    for image_id in half.images.ids.tolist():
        maps = (folder.label_map(image_id) for folder in (gold_folder, half_folder))
        assert np.array_equal(*maps)
    assert half_folder.coco_file.read_bytes() == again.coco_file.read_bytes()


def test_all_unknown_names_and_impossible_values_are_listed(tunable, tmp_path):
    data = tunable("detection")
    searched = [
        {"name": "train.learning_rat", "low": 0.1, "high": 0.2},
        {"name": "train.final_learning_rate", "low": 0.5, "high": 1.5},
        {"name": "train.optimizer", "choices": [{"type": "LBFGS"}, {"type": "SGD"}]},
        {"name": "model.weights.deep", "choices": ["a", "b"]},
    ]
    params = data.params(tune={"parameters": searched})
    with pytest.raises(ParamsError, match="has 6 faults") as caught:
        tune_training(data.prepared, tmp_path / "study", params)
    for part in ("train.learning_rat", "1.5", "LBFGS", "model.weights.deep"):
        assert part in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_the_best_inference_thresholds_are_written(tunable, tmp_path):
    data = tunable("detection")
    tune = {"score": [0.001, 0.9], "inference_trials": 12, "inference_measure": "mAP_50"}
    params = data.params(tune=tune)
    tune_inference(data.prepared, data.model, tmp_path / "study", params)
    best = json.loads((tmp_path / "study" / "best.json").read_text())
    assert best["measure"] == "mAP_50"
    assert 0.001 <= best["parameters"]["evaluate.score_floor"] <= 0.9
    assert 0.3 <= best["parameters"]["evaluate.nms_iou"] <= 0.9
    with (tmp_path / "study" / "trials.csv").open() as stream:
        values = [float(row["value"]) for row in csv.DictReader(stream)]
    assert best["value"] == max(values)
    assert {"tuning", "val", "val_before"} < best.keys()


def test_a_study_continues_if_weights_are_chosen_from_now_on(tunable, tmp_path):
    data = tunable("detection")
    for changes in ({}, {"evaluate": {"select": "best"}, "train": {"snapshots": 2}}):
        params = data.params(tune={"inference_trials": 2}, **changes)
        tune_inference(data.prepared, data.model, tmp_path / "study", params)
    database = f"sqlite:///{tmp_path / 'study' / 'study.db'}"
    (study,) = optuna.get_all_study_summaries(database)
    assert study.n_trials == 2


def boxes_of_a_pixel_or_more(rows):
    """The boxes whose sides are at least a pixel: smaller ones depend on rounding."""
    boxes = rows.boxes_xyxy
    return boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 1]


@pytest.mark.slow
def test_filtered_predictions_equal_those_of_the_model_with_the_same_thresholds(tunable, tmp_path):
    data = tunable("detection")
    params = data.params(train={"iterations": 60, "ema_momentum": None})
    train(data.prepared, data.prepared, tmp_path / "model", params)

    def predict(score):
        changed = _with_evaluate(params, {"score_floor": score, "nms_iou": 0.9})
        return _predict_split(tmp_path / "model", data.prepared, "val", changed)

    loose = predict(0.001)
    middle = float(np.median(loose.scores))
    filtered = _filter_predictions(loose, middle, 0.9)
    assert 0 < len(filtered) < len(loose)
    boxes, expected = (
        set(map(tuple, boxes_of_a_pixel_or_more(rows))) for rows in (filtered, predict(middle))
    )
    assert len(boxes) > 20
    # Boxes are cut at the border of the image after the model's NMS: a few overlap more then.
    assert len(boxes & expected) >= 0.98 * len(boxes | expected)
    assert 0 < len(_filter_predictions(loose, middle, 0.3)) < len(filtered)


def test_only_tasks_with_objects_have_inference_thresholds(tunable, tmp_path):
    data = tunable("semantic")
    with pytest.raises(ParamsError, match="expected detection or instance, found semantic"):
        tune_inference(data.prepared, data.model, tmp_path / "study", data.params())


def test_a_tuning_split_without_labels_is_an_error(tunable, tmp_path):
    data = tunable("detection")
    shutil.copytree(data.prepared, tmp_path / "prepared")
    path = tmp_path / "prepared" / "tuning" / "coco.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"annotations": []}))
    with pytest.raises(DataError, match=r"at least one label \(prepare.tuning_share\)"):
        tune_training(tmp_path / "prepared", tmp_path / "study", data.params())
