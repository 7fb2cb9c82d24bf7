"""Studies of trainings and of thresholds, with real models on tiny data."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.engines.inference_study import cut, predicted, tune_inference, with_evaluate
from pseudolabel.engines.training import train
from pseudolabel.engines.training_study import tune_training, write_share
from pseudolabel.errors import DataError, ParamsError
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.label_maps import map_path, read_map

SHORT = {"iterations": 2, "warmup_iterations": 0}


@pytest.fixture(scope="session")
def tunable(trained_tasks, tmp_path_factory):
    """A task's tiny model and its data, the images of val in tuning, too."""

    def get(task):
        data, folder = trained_tasks(task), tmp_path_factory.mktemp("tunable") / "prepared"
        shutil.copytree(data.prepared, folder)
        shutil.copytree(folder / "val", folder / "tuning", dirs_exist_ok=True)
        return replace(data, prepared=folder)

    return get


def tuned(data, tmp_path, **tune):
    params = data.params(train=SHORT, tune=tune)
    tune_training(data.prepared, tmp_path / "study", params)
    with (tmp_path / "study" / "trials.csv").open() as stream:
        return params, list(csv.DictReader(stream))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["detection", "semantic", "classification"])
def test_trainings_are_tried_and_the_parameters_in_use_come_first(tunable, tmp_path, task):
    data = tunable(task)
    bounds = {"name": "train.learning_rate", "low": 0.0001, "high": 0.1, "log": True}
    params, rows = tuned(data, tmp_path, trials=2, parameters=[bounds])
    assert float(rows[0]["train.learning_rate"]) == params.train.learning_rate
    assert 0.0001 <= float(rows[1]["train.learning_rate"]) <= 0.1
    assert [0 <= float(row["value"]) <= 1 for row in rows] == [True, True]
    assert not list((tmp_path / ".scratch").rglob("weights.pth"))


def test_neither_val_nor_test_has_a_say_in_a_study(tunable, tmp_path):
    data = tunable("classification")
    _, rows = tuned(data, tmp_path, trials=1)
    for split in ("val", "test"):
        path = data.prepared / split / "coco.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"annotations": []}))
    (tmp_path / "again").mkdir()
    _, again = tuned(data, tmp_path / "again", trials=1)
    assert again == rows


def test_a_share_of_gold_has_its_labels_and_maps(tunable, tmp_path):
    data = tunable("semantic")
    write_share(data.prepared / "gold", tmp_path / "half", 0.5, 0)
    write_share(data.prepared / "gold", tmp_path / "again", 0.5, 0)
    gold, half = (read_coco(it / FILE) for it in (data.prepared / "gold", tmp_path / "half"))
    assert len(half.images) == len(gold.images) / 2
    assert set(half.images.ids) < set(gold.images.ids)
    assert set(half.annotations.image_ids) <= set(half.images.ids)
    for image_id in half.images.ids.tolist():
        folders = (data.prepared / "gold", tmp_path / "half")
        maps = (read_map(map_path(it, image_id)) for it in folders)
        assert np.array_equal(*maps)
    assert (tmp_path / "half" / FILE).read_bytes() == (tmp_path / "again" / FILE).read_bytes()


def test_names_and_values_that_no_training_can_have_are_told_at_once(tunable, tmp_path):
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


def test_thresholds_are_found_in_the_predictions_of_the_champion(tunable, tmp_path):
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


def sides_of(found):
    return found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]


@pytest.mark.slow
def test_cutting_predictions_gives_what_the_model_gives_at_these_thresholds(tunable, tmp_path):
    data = tunable("detection")
    params = data.params(train={"iterations": 60, "ema_momentum": None})
    train(data.prepared, data.prepared, tmp_path / "model", params)

    def given(score):
        at = with_evaluate(params, {"score_floor": score, "nms_iou": 0.9})
        return predicted(tmp_path / "model", data.prepared, "val", at)

    loose = given(0.001)
    middle = float(np.median(loose.scores))
    rows = cut(loose, middle, 0.9)
    assert 0 < len(rows) < len(loose)
    # The overlap of boxes that are next to nothing is a matter of rounding.
    ours, theirs = (it.boxes_xyxy[sides_of(it).min(axis=1) >= 1] for it in (rows, given(middle)))
    assert len(ours) > 20
    assert np.array_equal(ours, theirs)
    assert 0 < len(cut(loose, middle, 0.3)) < len(rows)


def test_only_objects_have_thresholds(tunable, tmp_path):
    data = tunable("semantic")
    with pytest.raises(ParamsError, match="expected one with objects to cut, found semantic"):
        tune_inference(data.prepared, data.model, tmp_path / "study", data.params())


def test_without_labels_to_tune_on_nothing_begins(tunable, tmp_path):
    data = tunable("detection")
    shutil.copytree(data.prepared, tmp_path / "prepared")
    path = tmp_path / "prepared" / "tuning" / "coco.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"annotations": []}))
    with pytest.raises(DataError, match=r"labels to tune on \(prepare.tuning_share\)"):
        tune_training(tmp_path / "prepared", tmp_path / "study", data.params())
