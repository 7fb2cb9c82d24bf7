"""Folds with real models: cross-fit, several teachers, and what must not be trained on."""

import json
import shutil

import numpy as np
import pytest

from pseudolabel.boxes import iou_matrix
from pseudolabel.engines import labelling
from pseudolabel.engines.cross_fit import cross_fit
from pseudolabel.engines.evaluating import evaluate
from pseudolabel.engines.labelling import teachers_of
from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.engines.training import train
from pseudolabel.errors import DataError, ModelError
from pseudolabel.folds import keep_fold, read_folds
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.label_maps import map_path
from pseudolabel.tasks import TASKS as DATA_TASKS
from tests.engines.conftest import tiny_params

TASKS = ("detection", "instance", "semantic", "classification")


def with_images_of(split, prepared, folder, part="gold"):
    """A copy of prepared data whose gold, or another part, has an image of val or test, too."""
    shutil.copytree(prepared, folder)
    path = folder / part / FILE
    content = json.loads(path.read_bytes())
    more = json.loads((prepared / split / FILE).read_bytes())
    content["images"].append(more["images"][0])
    path.write_text(json.dumps(content))
    return folder, more["images"][0]


def say_it_saw(split, prepared, model):
    """Write an image of a split into the record of what a model was trained on."""
    record = json.loads((model / "training.json").read_text())
    images = json.loads((prepared / split / FILE).read_bytes())["images"]
    record["images"].append(images[0]["hash"])
    (model / "training.json").write_text(json.dumps(record))
    return images[0]["file_name"]


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_model_that_saw_what_it_is_to_be_measured_on_is_not_judged(
    root, prepared, model, tmp_path, split
):
    shutil.copytree(model, tmp_path / "model")
    name = say_it_saw(split, prepared, tmp_path / "model")
    paths = tmp_path / "evaluation", tmp_path / "champion"
    with pytest.raises(DataError) as caught:
        evaluate(tmp_path / "model", prepared, None, *paths, tiny_params(root))
    (fault,) = caught.value.faults
    assert (fault.expected, fault.found) == (
        f"a model that has not seen {split}",
        f"one trained on its {name!r}",
    )
    assert not paths[0].exists()


def test_weights_that_saw_val_are_not_trained_on_from(root, prepared, model, tmp_path):
    shutil.copytree(model, tmp_path / "other")
    weights = str(tmp_path / "other" / "weights.pth")
    params = tiny_params(root, model={"weights": weights})
    train(prepared, prepared, tmp_path / "tuned", params)
    own, theirs = (
        set(json.loads((it / "training.json").read_text())["images"])
        for it in (tmp_path / "tuned", tmp_path / "other")
    )
    assert own == theirs
    say_it_saw("val", prepared, tmp_path / "other")
    with pytest.raises(DataError, match="model.weights .*: expected a model that has not seen val"):
        train(prepared, prepared, tmp_path / "again", params)


@pytest.mark.parametrize("split", ["val", "test"])
def test_training_on_an_image_of_val_or_test_stops(root, prepared, tmp_path, split):
    data, image = with_images_of(split, prepared, tmp_path / "data")
    with pytest.raises(DataError) as caught:
        train(data, prepared, tmp_path / "model", tiny_params(root))
    (fault,) = caught.value.faults
    assert (fault.file, fault.record) == (
        "gold (to be trained on)",
        f"image {image['file_name']!r}",
    )
    assert (fault.expected, fault.found) == (f"an image that {split} has not", "itself")
    assert not (tmp_path / "model").exists()


def test_training_on_a_copy_of_a_test_image_under_another_name_stops(root, prepared, tmp_path):
    data, image = with_images_of("test", prepared, tmp_path / "data")
    path = data / "gold" / FILE
    path.write_text(path.read_text().replace(image["file_name"], "renamed.png"))
    with pytest.raises(DataError, match=f"found a copy of its '{image['file_name']}'"):
        train(data, prepared, tmp_path / "model", tiny_params(root))


@pytest.mark.parametrize("transductive", [False, True])
def test_silver_on_test_images_is_trained_on_only_on_purpose(
    root, prepared, tmp_path, transductive
):
    merged = tmp_path / "merged"
    shutil.copytree(prepared / "gold", merged / "gold")
    shutil.copytree(prepared / "test", merged / "silver")
    params = tiny_params(root, prepare={"transductive": transductive})
    if transductive:
        train(merged, prepared, tmp_path / "model", params)
        assert (tmp_path / "model" / "weights.pth").exists()
        return
    with pytest.raises(DataError, match=r"silver \(to be trained on\)"):
        train(merged, prepared, tmp_path / "model", params)


def test_silver_on_val_images_is_never_trained_on(root, prepared, tmp_path):
    merged = tmp_path / "merged"
    shutil.copytree(prepared / "gold", merged / "gold")
    shutil.copytree(prepared / "val", merged / "silver")
    params = tiny_params(root, prepare={"transductive": True})
    with pytest.raises(DataError, match="expected an image that val has not"):
        train(merged, prepared, tmp_path / "model", params)


def test_an_evaluation_says_that_test_was_pseudo_labelled(root, prepared, model, tmp_path):
    params = tiny_params(root, prepare={"transductive": True})
    evaluate(model, prepared, None, tmp_path / "evaluation", tmp_path / "champion", params)
    (row,) = json.loads((tmp_path / "evaluation" / "history.json").read_text())
    assert row["transductive"]


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_gold_is_labelled_by_models_that_did_not_see_it(any_task, tmp_path):
    keep_fold(tmp_path / "models", 0, any_task.model, any_task.prepared)
    cross_fit(tmp_path / "models", tmp_path / "out", any_task.params())
    val = read_coco(any_task.prepared / "val" / FILE)
    gold = read_coco(tmp_path / "out" / "gold" / FILE)
    assert gold.images.file_names.tolist() == sorted(val.images.file_names)
    assert len(gold.annotations) == len(val.annotations)
    assert [path.name for path in tables.shard_paths(tmp_path / "out")] == ["shard-000000.parquet"]
    if any_task.task == "semantic":
        old = dict(zip(val.images.file_names, val.images.ids.tolist(), strict=True))
        for name, image_id in zip(gold.images.file_names, gold.images.ids.tolist(), strict=True):
            copied = map_path(tmp_path / "out" / "gold", image_id).read_bytes()
            assert copied == map_path(any_task.prepared / "val", old[name]).read_bytes()
    suspects = DATA_TASKS[any_task.task].suspects(gold, tmp_path / "out")
    assert {it.file for it in suspects} <= set(gold.images.file_names)


def test_a_model_that_saw_what_it_is_to_judge_stops_the_cross_fit(prepared, model, root, tmp_path):
    keep_fold(tmp_path / "models", 0, model, prepared)
    say_it_saw("val", prepared, tmp_path / "models" / "0" / "champion")
    with pytest.raises(DataError, match="the champion of fold 0: expected a model that has not"):
        cross_fit(tmp_path / "models", tmp_path / "out", tiny_params(root))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("numbers", [(), (1,), (0, 2)])
def test_missing_folds_are_told(prepared, model, tmp_path, numbers):
    for number in numbers:
        keep_fold(tmp_path / "models", number, model, prepared)
    found = ", ".join(map(str, numbers)) or "none"
    with pytest.raises(
        ModelError, match=f"expected the champions of folds 0, 1, ..., found {found}"
    ):
        read_folds(tmp_path / "models")


def test_teachers_are_the_folds_champions_of_one_model_that_saw_no_val(
    prepared, model, tmp_path, monkeypatch
):
    models = tmp_path / "models"
    for number in (0, 1):
        keep_fold(models, number, model, prepared)
    monkeypatch.setattr(labelling, "MODELS", models)
    champion = tmp_path / "champion"
    folders = [models / str(it) / "champion" for it in (0, 1)]
    assert teachers_of("folds", champion, prepared, "teachers") == folders
    assert teachers_of("champion", champion, prepared, "teachers") == [champion]
    config = models / "1" / "champion" / "config.json"
    config.write_text(config.read_text().replace("96", "64"))
    with pytest.raises(ModelError, match="expected the model of fold 0, found another"):
        teachers_of("folds", champion, prepared, "teachers")
    keep_fold(models, 1, model, prepared)
    say_it_saw("test", prepared, models / "1" / "champion")
    expected = "1/champion: expected a model that has not seen test, found one trained"
    for wanted in ("folds", folders):
        with pytest.raises(DataError, match=expected):
            teachers_of(wanted, champion, prepared, "teachers")


def found_by(data, folders):
    images = read_coco(data.prepared / "pool" / FILE).images[:3]
    section = data.params().pseudo_label
    (batch,) = TrainedModel(folders, data.root / "images", section).predict(images)
    return batch.found


@pytest.fixture
def other_model(any_task, tmp_path):
    """A model of other first weights."""
    params = any_task.params().model_copy(update={"seed": 7})
    train(any_task.prepared, any_task.prepared, tmp_path / "other", params)
    return tmp_path / "other"


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_probabilities_of_several_models_are_averaged(any_task, other_model):
    alone = [found_by(any_task, [it]).values for it in (any_task.model, other_model)]
    both = found_by(any_task, [any_task.model, other_model])
    assert not np.allclose(alone[0], alone[1])
    assert both.values == pytest.approx(np.mean(alone, axis=0), abs=1e-6)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_pixels_of_several_models_are_voted_softly(any_task, other_model):
    one, other = (found_by(any_task, [it]) for it in (any_task.model, other_model))
    both = found_by(any_task, [any_task.model, other_model])
    for row in range(3):
        agree = one.labels[row] == other.labels[row]
        assert (both.labels[row][agree] == one.labels[row][agree]).mean() > 0.99
        mean = (one.confidences[row].astype(int) + other.confidences[row]) / 2
        assert np.abs(both.confidences[row][agree] - mean[agree]).max() <= 2


@pytest.mark.parametrize("any_task", ["detection", "instance"], indirect=True)
def test_a_model_beside_itself_finds_what_it_finds_alone(any_task, tmp_path):
    # After a few steps RTMDet-Ins finds no mask.
    params = any_task.params(train={"iterations": 60, "ema_momentum": None})
    train(any_task.prepared, any_task.prepared, tmp_path / "longer", params)
    alone, twice = (found_by(any_task, [tmp_path / "longer"] * it) for it in (1, 2))
    assert 0 < len(twice) <= len(alone)
    # Joining may put a model's own neighbours together: each is there, or one that overlaps it.
    for row in range(len(alone)):
        own = twice[
            (twice.image_ids == alone.image_ids[row])
            & (twice.category_ids == alone.category_ids[row])
        ]
        assert iou_matrix(alone.boxes_xyxy[row : row + 1], own.boxes_xyxy).max() > 0.4
    assert twice.scores.max() <= alone.scores.max() + 1e-6
    assert all(bool(it) == (any_task.task == "instance") for it in twice.masks)
