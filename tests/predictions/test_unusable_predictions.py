"""Predictions that are not finite, or no boxes in the image, count as none and are reported."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from pseudolabel.evaluation.classes import ClassScorer
from pseudolabel.evaluation.score import score_model
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.predictions.mask_pasting import paste_masks
from pseudolabel.predictions.objects import BoxPredictor
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.task_predictor import PredictOptions
from pseudolabel.silver.calibration import scale_probabilities


def with_value(data, value, folder):
    """A copy of a trained model in which every weight has one value."""
    shutil.copytree(data.model, folder)
    weights = load_weights(folder / "weights.pth")
    broken = {
        name: torch.full_like(tensor, value) if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    torch.save({"state_dict": broken}, folder / "weights.pth")
    return folder


@pytest.mark.parametrize(
    "any_task", ["detection", "instance", "semantic", "classification"], indirect=True
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_of_no_numbers_is_scored_as_one_that_finds_nothing(
    any_task, tmp_path, value, capfd
):
    folder = with_value(any_task, value, tmp_path / "broken")
    scores = score_model(folder, any_task.prepared, any_task.params(), splits=("val",))
    assert (scores.row["val"][scores.row["headline"][0]] or 0) == 0
    images = SplitFolder(any_task.prepared / "val").read().images
    capfd.readouterr()
    section = any_task.params().pseudo_label
    list(TrainedModels([folder], any_task.root / "images", section).predict(images))
    if any_task.task in ("semantic", "classification"):
        lines = [line for line in capfd.readouterr().err.splitlines() if "counted as none" in line]
        (line,) = lines
        assert line.startswith("3 predictions left out and counted as none: not finite, outside")


def image_objects(boxes, scores):
    instances = InstanceData(
        bboxes=torch.tensor(boxes), scores=torch.tensor(scores), labels=torch.zeros(len(scores))
    )
    sample = SimpleNamespace(pred_instances=instances, ori_shape=(80, 96), flip=False, img_id=1)
    options = PredictOptions(np.array([4], np.int32), SimpleNamespace(score_floor=0.1), 0)
    return BoxPredictor().image_objects(sample, options), options.left_out.count


def test_boxes_that_are_none_are_left_out_and_counted():
    good, nan, inf = [1.0, 2.0, 30.0, 40.0], float("nan"), float("inf")
    boxes = [good, [nan, 0.0, 9.0, 9.0], [0.0, 0.0, inf, 9.0], [200.0, 0.0, 300.0, 9.0]]
    boxes += [[5.0, 5.0, 5.0, 9.0], [9.0, 9.0, 2.0, 2.0], good, good, [5.0, 5.0, 5.0, 9.0]]
    scores = [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, nan, inf, 0.01]
    objects, left_out = image_objects(boxes, scores)
    assert objects.boxes_xyxy.tolist() == [good]
    assert objects.scores.tolist() == [np.float32(0.9)]
    # The last one is below the score floor: it would have been left out anyway.
    assert left_out == 7


def test_masks_of_boxes_outside_of_the_image_are_empty():
    nan = float("nan")
    outside = [[200.0, 10.0, 300.0, 20.0], [10.0, -90.0, 20.0, -80.0], [nan] * 4]
    inside = [10.0, 10.0, 50.0, 50.0]
    for boxes in (outside, [*outside, inside]):
        masks = torch.ones(len(boxes), 1, 28, 28)
        for skip_empty in (True, False):
            pasted, _ = paste_masks(masks, torch.tensor(boxes), 80, 96, skip_empty)
            assert not (pasted[:3] > 0.5).any()
            assert (pasted[3:] > 0.5).any() == (len(boxes) == 4)


def test_images_without_a_prediction_are_never_right():
    truth = SimpleNamespace(
        class_names=["a", "b"],
        images=SimpleNamespace(ids=np.array([1, 2])),
        annotations=SimpleNamespace(image_ids=np.array([1, 2])),
        class_indices=np.array([0, 1]),
    )
    scorer = ClassScorer(truth)
    values = np.array([[0, 0], [0.2, 0.8]], np.float32)
    scorer.add(SimpleNamespace(image_ids=np.array([1, 2]), values=values))
    scorer.parts = [type("P", (), {"image_ids": np.array([1, 2]), "values": values})]
    overall, by_class = scorer.result()
    assert overall["top1"] == overall["top5"] == 0.5
    assert by_class["recall"] == {"a": 0, "b": 1}


def test_no_prediction_stays_none_when_scores_are_scaled():
    values = np.array([[0, 0], [0.2, 0.8]], np.float32)
    scaled = scale_probabilities(values, 2.0)
    assert scaled[0].tolist() == [0, 0]
    assert scaled[1].sum() == pytest.approx(1)
