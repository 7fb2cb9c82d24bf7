"""Several teachers: which folders they are, and how their predictions are combined."""

import numpy as np
import pytest

from pseudolabel.core.boxes import iou_matrix
from pseudolabel.core.errors import DataError, ModelError
from pseudolabel.formats.fold_folder import write_fold
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions import teachers
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.teachers import teacher_folders
from pseudolabel.training.train import train
from tests.leaks import record_as_trained_on


def test_teachers_are_the_champions_of_the_folds(prepared, model, tmp_path, monkeypatch):
    models = tmp_path / "models"
    for number in (0, 1):
        write_fold(models, number, model, prepared)
    monkeypatch.setattr(teachers, "FOLD_MODELS", models)
    champion = tmp_path / "champion"
    folders = [models / name / "champion" for name in ("0", "1")]
    assert teacher_folders("folds", champion, prepared, "teachers") == folders
    assert teacher_folders("champion", champion, prepared, "teachers") == [champion]
    config = models / "1" / "champion" / "config.json"
    config.write_text(config.read_text().replace("96", "64"))
    with pytest.raises(ModelError, match="expected the model of fold 0, found another"):
        teacher_folders("folds", champion, prepared, "teachers")
    write_fold(models, 1, model, prepared)
    record_as_trained_on("test", prepared, models / "1" / "champion")
    expected = "1/champion: expected a model that was not trained on test, found trained on"
    for named in ("folds", folders):
        with pytest.raises(DataError, match=expected):
            teacher_folders(named, champion, prepared, "teachers")


def predict_three_images(data, folders):
    images = SplitFolder(data.prepared / "pool").read().images[:3]
    section = data.params().pseudo_label
    (batch,) = TrainedModels(folders, data.root / "images", section).predict(images)
    return batch.predictions


@pytest.fixture
def other_model(any_task, tmp_path):
    """A model that was trained with another seed."""
    params = any_task.params().model_copy(update={"seed": 7})
    train(any_task.prepared, any_task.prepared, tmp_path / "other", params)
    return tmp_path / "other"


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_probabilities_of_several_models_are_averaged(any_task, other_model):
    single = [
        predict_three_images(any_task, [folder]).values for folder in (any_task.model, other_model)
    ]
    both = predict_three_images(any_task, [any_task.model, other_model])
    assert not np.allclose(single[0], single[1])
    assert both.values == pytest.approx(np.mean(single, axis=0), abs=1e-6)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_probabilities_of_pixels_of_several_models_are_averaged(any_task, other_model):
    first, second = (
        predict_three_images(any_task, [folder]) for folder in (any_task.model, other_model)
    )
    both = predict_three_images(any_task, [any_task.model, other_model])
    for row in range(3):
        agree = first.labels[row] == second.labels[row]
        assert (both.labels[row][agree] == first.labels[row][agree]).mean() > 0.99
        mean = (first.confidences[row].astype(int) + second.confidences[row]) / 2
        assert np.abs(both.confidences[row][agree] - mean[agree]).max() <= 2


@pytest.mark.parametrize("any_task", ["detection", "instance"], indirect=True)
@pytest.mark.slow
def test_a_model_fused_with_itself_predicts_the_same_objects(any_task, tmp_path):
    # After a few steps RTMDet-Ins predicts no mask, so the model is trained for longer.
    params = any_task.params(train={"iterations": 60, "ema_momentum": None})
    folder = tmp_path / "longer"
    train(any_task.prepared, any_task.prepared, folder, params)
    single, fused = (predict_three_images(any_task, [folder] * count) for count in (1, 2))
    assert 0 < len(fused) <= len(single)
    # Fusion may also join neighbours of one model. Each object is there, or one that overlaps it.
    for row in range(len(single)):
        same_class = (fused.image_ids == single.image_ids[row]) & (
            fused.category_ids == single.category_ids[row]
        )
        overlaps = iou_matrix(single.boxes_xyxy[row : row + 1], fused.boxes_xyxy[same_class])
        assert overlaps.max() > 0.4
    assert fused.scores.max() <= single.scores.max() + 1e-6
    assert all(bool(mask) == (any_task.task == "instance") for mask in fused.masks)
