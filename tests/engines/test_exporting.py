"""What real tiny models hand in, over test and over a folder."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.exporting import export
from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.engines.training import train
from pseudolabel.errors import DataError, ModelError, ParamsError
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.metrics.images import ImageScorer
from pseudolabel.records import Probabilities
from tests.engines.conftest import tiny_params
from tests.engines.finding import find_all

TASKS = ["detection", "instance", "semantic", "classification"]


def exported(task, folder, **changes):
    params = task.params(export=changes)
    export(task.prepared, task.model, folder / "out", params)
    return folder / "out"


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_test_is_handed_in_as_results_and_csv(any_task, tmp_path):
    output = exported(any_task, tmp_path)
    test = read_coco(any_task.prepared / "test" / FILE).images
    report = json.loads((output / "report.json").read_text())
    size = (any_task.model / "weights.pth").stat().st_size / 1e6
    assert (report["images"], report["unreadable"]) == (3, [])
    assert report["weights_mb"] == pytest.approx(size, abs=1e-3)
    assert json.loads((output / "speed.json").read_text())["images_per_second"] > 0
    with (output / "submission.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    results = json.loads((output / "results.json").read_text())
    assert {it["image_id"] for it in results} <= set(test.ids.tolist())
    if any_task.task in ("semantic", "classification"):
        assert [it["file"] for it in rows] == test.file_names.tolist()
        assert len(results) >= 3
    else:
        assert len(rows) == len(results)
    assert (output / "measures.csv").exists() == (any_task.task == "instance")


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_what_is_handed_in_scores_as_the_model_was_judged(any_task, tmp_path):
    params = any_task.params(export={"split": "val"})
    export(any_task.prepared, any_task.model, tmp_path / "out", params)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    row = judge(any_task.model, any_task.prepared, params, splits=("val",)).row
    assert metrics == {"val": row["val"]}


def test_models_together_are_judged_as_one(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    params = task.params(train={"iterations": 4})
    train(task.prepared, task.prepared, tmp_path / "other", params)
    models = [str(task.model), str(tmp_path / "other")]
    output = exported(task, tmp_path, models=models)
    (name, metrics), *rest = json.loads((output / "metrics.json").read_text()).items()
    assert (name, rest) == ("test", [])
    test = read_coco(task.prepared / "test" / FILE).images
    values = []
    for model in models:
        looks = TrainedModel([Path(model)], task.root / "images", params.evaluate)
        (batch,) = looks.predict(test)
        values.append(batch.found.values)
    scorer = ImageScorer(read_coco(task.prepared / "test" / FILE))
    scorer.add(Probabilities(test.ids, np.mean(values, axis=0, dtype=np.float32)))
    assert metrics["ece"] == pytest.approx(scorer.result()[0]["ece"], abs=1e-5)
    assert not (output / "measures.csv").exists()


def test_boxes_handed_in_are_those_that_were_judged(trained_tasks, tmp_path):
    task = trained_tasks("detection")
    output = exported(task, tmp_path, columns={"file": "file", "s": "score"})
    test = read_coco(task.prepared / "test" / FILE).images
    model = TrainedModel([task.model], task.root / "images", task.params().evaluate)
    found = find_all(model, test)
    results = json.loads((output / "results.json").read_text())
    assert len(results) == len(found) > 0
    assert sorted(it["score"] for it in results) == pytest.approx(sorted(found.scores), abs=1e-4)


def test_a_folder_is_handed_in_with_what_cannot_be_read_listed(trained_tasks, tmp_path):
    task, folder = trained_tasks("classification"), tmp_path / "camera"
    (folder / "a").mkdir(parents=True)
    names = read_coco(task.prepared / "pool" / FILE).images.file_names[:5]
    for name in names:
        shutil.copy(task.root / "images" / name, folder / "a")
    (folder / "damaged.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("none of them")
    output = exported(task, tmp_path, images=folder)
    with (output / "submission.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [it["file"] for it in rows] == sorted(f"a/{name}" for name in names)
    assert json.loads((output / "report.json").read_text())["unreadable"] == ["damaged.png"]


def test_several_models_are_handed_in_together(trained_tasks, tmp_path):
    task = trained_tasks("semantic")
    one = exported(task, tmp_path / "one")
    both = exported(task, tmp_path / "both", models=[task.model, task.model])
    assert (one / "submission.csv").read_bytes() == (both / "submission.csv").read_bytes()
    assert len(json.loads((both / "report.json").read_text())["weights"]) == 2


@pytest.mark.parametrize("any_task", ["semantic", "classification"], indirect=True)
def test_the_model_as_onnx_says_what_the_model_says(any_task, tmp_path):
    output = exported(any_task, tmp_path, onnx=True)
    test = read_coco(any_task.prepared / "test" / FILE).images
    session = onnxruntime.InferenceSession(str(output / "model.onnx"))
    model = TrainedModel([any_task.model], any_task.root / "images", any_task.params().evaluate)
    (batch,) = model.predict(test)
    pixels = np.full((3, 3, 96, 96), 114, np.float32)
    for row, name in enumerate(test.file_names):
        image = np.array(Image.open(any_task.root / "images" / name).convert("RGB"))
        pixels[row, :, :80] = image.transpose(2, 0, 1)
    (found,) = session.run(None, {"pixels": pixels})
    if any_task.task == "classification":
        assert np.allclose(found, batch.found.values, atol=1e-3)
    else:
        for row, labels in enumerate(batch.found.labels):
            assert (found[row].argmax(axis=0)[:80] == labels).mean() > 0.99


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
def test_what_cannot_be_handed_in_is_told(trained_tasks, tmp_path, task, changes, error, message):
    with pytest.raises(error, match=message):
        exported(trained_tasks(task), tmp_path, **changes)
    assert not (tmp_path / "out").exists()


def test_a_damaged_image_of_test_stops_it(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    shutil.copytree(task.root, tmp_path / "raw")
    name = read_coco(task.prepared / "test" / FILE).images.file_names[1]
    (tmp_path / "raw" / "images" / name).write_bytes(b"damaged")
    params = tiny_params(tmp_path / "raw", "classification")
    with pytest.raises(DataError, match=f"{name}: expected an image that can be decoded"):
        export(task.prepared, task.model, tmp_path / "out", params)
