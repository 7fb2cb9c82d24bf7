"""Submission files of tiny models, for test and for a folder."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from pseudolabel.core.errors import DataError, ModelError, ParamsError
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.evaluation.classes import ClassScorer
from pseudolabel.evaluation.score import score_model
from pseudolabel.export.export import export
from pseudolabel.export.onnx import write_onnx
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.training.train import train
from tests.conftest import ROOT, tiny_params
from tests.finding import find_all
from tests.leaks import prepared_from

TASKS = ["detection", "instance", "semantic", "classification"]


def split_images(task, split="test"):
    return SplitFolder(task.prepared / split).read().images


def run_export(task, folder, **changes):
    params = task.params(export=changes)
    export(task.prepared, task.model, folder / "out", params)
    return folder / "out"


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_predictions_for_test_are_written_as_coco_results_and_csv(any_task, tmp_path):
    output = run_export(any_task, tmp_path)
    test = split_images(any_task)
    report = json.loads((output / "report.json").read_text())
    size = (any_task.model / "weights.pth").stat().st_size / 1e6
    assert (report["images"], report["unreadable"]) == (3, [])
    assert report["weights_mb"] == pytest.approx(size, abs=1e-3)
    assert json.loads((output / "speed.json").read_text())["images_per_second"] > 0
    with (output / "submission.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    results = json.loads((output / "results.json").read_text())
    assert {result["image_id"] for result in results} <= set(test.ids.tolist())
    if any_task.task in ("semantic", "classification"):
        assert [row["file"] for row in rows] == test.file_names.tolist()
        assert len(results) >= 3
    else:
        assert len(rows) == len(results)
    assert (output / "measures.csv").exists() == (any_task.task == "instance")


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_exported_metrics_are_the_scores_of_the_model(any_task, tmp_path):
    params = any_task.params(export={"split": "val"})
    export(any_task.prepared, any_task.model, tmp_path / "out", params)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    row = score_model(any_task.model, any_task.prepared, params, splits=("val",)).row
    assert metrics == {"val": row["val"]}


def test_several_models_are_scored_together(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    params = task.params(train={"iterations": 4})
    train(task.prepared, task.prepared, tmp_path / "other", params)
    models = [str(task.model), str(tmp_path / "other")]
    output = run_export(task, tmp_path, models=models)
    (name, metrics), *rest = json.loads((output / "metrics.json").read_text()).items()
    assert (name, rest) == ("test", [])
    test = split_images(task)
    values = []
    for model in models:
        predictor = TrainedModels([Path(model)], task.root / "images", params.evaluate)
        (batch,) = predictor.predict(test)
        values.append(batch.predictions.values)
    scorer = ClassScorer(SplitFolder(task.prepared / "test").read())
    scorer.add(Probabilities(test.ids, np.mean(values, axis=0, dtype=np.float32)))
    assert metrics["ece"] == pytest.approx(scorer.result()[0]["ece"], abs=1e-5)
    assert not (output / "measures.csv").exists()


def test_exported_boxes_are_the_predictions_of_the_model(trained_tasks, tmp_path):
    task = trained_tasks("detection")
    output = run_export(task, tmp_path, columns={"file": "file", "s": "score"})
    test = split_images(task)
    model = TrainedModels([task.model], task.root / "images", task.params().evaluate)
    scores = find_all(model, test).scores
    results = json.loads((output / "results.json").read_text())
    assert len(results) == len(scores) > 0
    exported = sorted(result["score"] for result in results)
    assert exported == pytest.approx(sorted(scores), abs=1e-4)


def test_unreadable_files_of_a_folder_are_listed(trained_tasks, tmp_path):
    task, folder = trained_tasks("classification"), tmp_path / "camera"
    (folder / "a").mkdir(parents=True)
    names = split_images(task, "pool").file_names[:5]
    for name in names:
        shutil.copy(task.root / "images" / name, folder / "a")
    (folder / "damaged.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("not an image")
    output = run_export(task, tmp_path, images=folder)
    with (output / "submission.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"] for row in rows] == sorted(f"a/{name}" for name in names)
    assert json.loads((output / "report.json").read_text())["unreadable"] == ["damaged.png"]


def test_several_models_are_exported_together(trained_tasks, tmp_path):
    task = trained_tasks("semantic")
    one = run_export(task, tmp_path / "one")
    both = run_export(task, tmp_path / "both", models=[task.model, task.model])
    assert (one / "submission.csv").read_bytes() == (both / "submission.csv").read_bytes()
    assert len(json.loads((both / "report.json").read_text())["weights"]) == 2


@pytest.mark.parametrize("any_task", ["semantic", "classification"], indirect=True)
def test_the_onnx_model_predicts_the_same(any_task, tmp_path):
    output = run_export(any_task, tmp_path, onnx=True)
    test = split_images(any_task)
    session = onnxruntime.InferenceSession(str(output / "model.onnx"))
    model = TrainedModels([any_task.model], any_task.root / "images", any_task.params().evaluate)
    (batch,) = model.predict(test)
    pixels = np.full((3, 3, 96, 96), 114, np.float32)
    for row, name in enumerate(test.file_names):
        image = np.array(Image.open(any_task.root / "images" / name).convert("RGB"))
        pixels[row, :, :80] = image.transpose(2, 0, 1)
    (probabilities,) = session.run(None, {"pixels": pixels})
    if any_task.task == "classification":
        assert np.allclose(probabilities, batch.predictions.values, atol=1e-3)
    else:
        for row, labels in enumerate(batch.predictions.labels):
            assert (probabilities[row].argmax(axis=0)[:80] == labels).mean() > 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "config"), [("semantic", "fpn_lite0"), ("classification", "lite0")]
)
def test_the_default_model_becomes_onnx(trained_tasks, tmp_path, config, task):
    made = trained_tasks(task)
    path = str(ROOT / "configs" / task / f"{config}.py")
    params = made.params(model={"config": path, "weights": "backbone"})
    train(made.prepared, made.prepared, tmp_path / "model", params)
    # It compares onnxruntime's probabilities with those of the model itself.
    write_onnx(tmp_path / "model", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (found,) = session.run(None, {"pixels": np.zeros((3, 3, 96, 96), np.float32)})
    assert found.shape[0] == 3
    assert np.allclose(found.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("task", "changes", "error", "message"),
    [
        ("detection", {"onnx": True}, ModelError, "classification or semantic, found detection"),
        ("detection", {"max_weights_mb": 0.1}, ModelError, "at most 0.1 MB, found"),
        ("detection", {"columns": {"a": "rle"}}, ParamsError, "found a: 'rle'"),
        ("detection", {"models": ["nowhere"]}, ModelError, "export.models: nowhere: expected a"),
        ("detection", {"images": "."}, DataError, "images to export predictions of, found none"),
    ],
)
def test_exports_that_are_impossible_are_refused(
    trained_tasks, tmp_path, task, changes, error, message
):
    with pytest.raises(error, match=message):
        run_export(trained_tasks(task), tmp_path, **changes)
    assert not (tmp_path / "out").exists()


def test_a_faulty_order_is_reported_before_prediction(trained_tasks, tmp_path):
    order = tmp_path / "order.csv"
    order.write_text("file,order\n")
    with pytest.raises(DataError, match="order.csv: .*: expected an order, a number, found none"):
        run_export(trained_tasks("instance"), tmp_path, measures=True, order=order)
    assert not list(tmp_path.glob(".scratch/export/*"))


def test_a_damaged_image_of_test_stops_the_export(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    shutil.copytree(task.root, tmp_path / "raw")
    name = split_images(task).file_names[1]
    (tmp_path / "raw" / "images" / name).write_bytes(b"damaged")
    data = prepared_from(tmp_path / "raw" / "images", task.prepared, tmp_path / "prepared")
    params = tiny_params(tmp_path / "raw", "classification")
    with pytest.raises(DataError, match=f"{name}: expected an image that can be decoded"):
        export(data, task.model, tmp_path / "out", params)
