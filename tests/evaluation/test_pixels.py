import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.records import Annotations, Category, Dataset
from pseudolabel.evaluation.history import maps_folder
from pseudolabel.evaluation.pixels import PixelScorer
from pseudolabel.formats.split_folder import SplitFolder
from tests.builders import images

NAMES = ["ground", "disc", "rod", "star"]
CLASSES = tuple(Category(index, name) for index, name in enumerate(NAMES))


def metrics_of(folder, truths, guesses):
    """The metrics of (n, h, w) gold and predicted maps, added in two parts."""
    dataset = Dataset(images(len(truths)), Annotations.empty(), CLASSES)
    for image_id, labels in zip(dataset.images.ids, truths, strict=True):
        SplitFolder(folder).write_label_map(image_id, labels)
    scorer = PixelScorer(dataset, folder)
    half = len(truths) // 2
    for part in (slice(0, half), slice(half, None)):
        maps = list(guesses[part])
        confidences = [np.full_like(labels, 9) for labels in maps]
        scorer.add(LabelMaps(dataset.images.ids[part], maps, confidences))
    return scorer.result()


def evaluate_with_mmseg(truths, guesses):
    """The metrics of mmseg's IoUMetric by name, as shares."""
    metric = IoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = {"classes": NAMES}
    samples = []
    for truth, guess in zip(truths, guesses, strict=True):
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(truth[None].astype(np.int64)))
        sample.pred_sem_seg = PixelData(data=torch.from_numpy(guess[None].astype(np.int64)))
        samples.append(sample.to_dict())
    metric.process({}, samples)
    areas = [sum(column) for column in zip(*metric.results, strict=True)]
    shares = metric.total_area_to_metrics(*areas, ["mIoU"])
    return {name: np.asarray(value, np.float64) for name, value in shares.items()}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(2, 4))
def test_metrics_equal_those_of_mmseg(tmp_path_factory, seed, classes):
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, classes, (4, 9, 7)).astype(np.uint8)
    truths[rng.random(truths.shape) < 0.2] = 255
    wrong = rng.random(truths.shape) < 0.4
    guesses = np.where(wrong | (truths == 255), rng.integers(0, classes, truths.shape), truths)
    guesses = guesses.astype(np.uint8)
    overall, by_class = metrics_of(tmp_path_factory.mktemp("maps"), truths, guesses)
    expected = evaluate_with_mmseg(truths, guesses)
    assert overall["mIoU"] == pytest.approx(np.nanmean(expected["IoU"]), abs=1e-6)
    assert overall["mAcc"] == pytest.approx(np.nanmean(expected["Acc"]), abs=1e-6)
    assert overall["aAcc"] == pytest.approx(float(expected["aAcc"]), abs=1e-6)
    for index, name in enumerate(NAMES):
        iou = expected["IoU"][index]
        value = None if np.isnan(iou) else pytest.approx(iou, abs=1e-6)
        assert by_class["IoU"][name] == value


def test_pixels_without_a_gold_label_never_count(tmp_path):
    truth = np.array([[[0, 1, 255, 255]]], np.uint8)
    for number, unlabelled in enumerate(([0, 0], [1, 1], [3, 2])):
        guess = np.array([[[0, 1, *unlabelled]]], np.uint8)
        overall, _ = metrics_of(tmp_path / str(number), truth, guess)
        assert overall == {"mIoU": 1, "mAcc": 1, "aAcc": 1}


def test_the_predicted_maps_are_written_beside_the_confusions(tmp_path):
    dataset = Dataset(images(2), Annotations.empty(), CLASSES)
    truth = np.zeros((4, 5), np.uint8)
    for image_id in dataset.images.ids:
        SplitFolder(tmp_path).write_label_map(image_id, truth)
    scorer = PixelScorer(dataset, tmp_path)
    guess = np.arange(20, dtype=np.uint8).reshape(4, 5) % 4
    confidences = np.full_like(guess, 9)
    confidences[0, 0] = 0
    scorer.add(LabelMaps(dataset.images.ids, [guess, guess], [confidences] * 2))
    scorer.write(tmp_path / "outcomes" / "1_val")
    written = SplitFolder(maps_folder(tmp_path / "outcomes" / "1_val")).label_map(2)
    # A pixel without a prediction has no label.
    assert written[0, 0] == 255
    assert (written.ravel()[1:] == guess.ravel()[1:]).all()
