"""The list `train.silver_augmentations`: strong changes to silver, and to silver alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pseudolabel.core.datasets import select_images
from pseudolabel.core.errors import ModelError
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.configs import model_config
from pseudolabel.models.transforms import DecodeImage
from pseudolabel.training.sources import TrainingData, check_augmentations
from pseudolabel.training.train import train
from tests.gold_items import training_dataset

TASKS = ("detection", "instance", "semantic", "classification")
JITTER = {"brightness": [0.5, 1.5], "contrast": [0.5, 1.5], "saturation": [0.5, 1.5]}
STRONG = [
    {"type": "albumentations.ColorJitter", **JITTER, "hue": [-0.25, 0.25], "p": 0.8},
    {"type": "albumentations.ToGray", "p": 0.2},
    {"type": "albumentations.GaussianBlur", "p": 0.5},
    {"type": "albumentations.CoarseDropout", "p": 0.5},
]
"""The strong augmentations of ST++ (Yang et al. 2022)."""


def with_halves(task, folder):
    """A task whose training data is one half of gold as gold, and the other half as silver."""
    gold = SplitFolder(task.prepared / "gold")
    dataset = gold.read()
    is_silver = np.arange(len(dataset.images)) % 2 == 1
    for name, kept in (("gold", ~is_silver), ("silver", is_silver)):
        half = SplitFolder(folder / name)
        half.path.mkdir(parents=True)
        half.write(select_images(dataset, kept))
        ids = dataset.images.ids[kept].tolist()
        gold.copy_label_maps(half, dict(zip(ids, ids, strict=True)))
    return replace(task, prepared=folder)


def check(data, **changes):
    """Check the augmentations of a task's training data, as before a training."""
    sources = TrainingData.in_folder(data.prepared)
    categories = SplitFolder(sources.gold).read().categories
    params = data.params(**changes)
    model_config(params, categories)
    check_augmentations(sources, categories, params)


def labels_of(sample, task):
    """The labels of a training image as arrays."""
    if task == "classification":
        return [sample.gt_label.numpy()]
    if task == "semantic":
        return [sample.gt_sem_seg.data.numpy()]
    objects = sample.gt_instances
    masks = [objects.masks.masks] if task == "instance" else []
    return [objects.bboxes.tensor.numpy(), objects.labels.numpy(), *masks]


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_silver_changes_and_gold_does_not(any_task, tmp_path):
    data, task = with_halves(any_task, tmp_path / "merged"), any_task.task
    weak = training_dataset(data)
    strong = training_dataset(data, train={"silver_augmentations": STRONG})
    gold, differing = len(weak.datasets[0]), 0
    for row in range(len(weak)):
        before, after = weak[row], strong[row]
        same_pixels = np.array_equal(before["inputs"], after["inputs"])
        before, after = (labels_of(item["data_samples"], task) for item in (before, after))
        if row < gold:
            assert same_pixels
        differing += not same_pixels
        if task == "semantic" and row >= gold:
            ignored = after[0] == 255
            assert np.array_equal(before[0][~ignored], after[0][~ignored])
        else:
            assert all(map(np.array_equal, before, after))
    # All four together leave one image of 25 as it is.
    assert differing >= len(weak) - gold - 1


@pytest.mark.slow
@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_holes_reach_the_training_images(any_task, tmp_path):
    data = with_halves(any_task, tmp_path / "merged")
    cutout = {"type": "albumentations.CoarseDropout", "fill": 1, "p": 1.0}
    lists = {"augmentations": [], "silver_augmentations": [cutout]}
    dataset = training_dataset(data, train=lists)
    for row in range(len(dataset)):
        item = dataset[row]
        holes = (item["inputs"].numpy() == 1).all(axis=0)
        assert (holes.sum() > 40) == (row >= len(dataset.datasets[0]))
        if any_task.task == "semantic":
            assert (item["data_samples"].gt_sem_seg.data[0].numpy()[holes] == 255).all()


@pytest.mark.slow
@pytest.mark.parametrize("any_task", ["detection", "semantic"], indirect=True)
def test_mixing_mixes_silver_with_silver(any_task, tmp_path, monkeypatch):
    data = with_halves(any_task, tmp_path / "merged")
    kind = "Mosaic" if any_task.task == "detection" else "RandomMosaic"
    mosaic = {"type": kind, "prob": 1.0, "img_scale": [96, 96]}
    dataset = training_dataset(data, train={"silver_augmentations": [*STRONG, mosaic]})
    loaded = []
    original = DecodeImage.transform

    def record(self, results):
        loaded.append(results["img_path"].rpartition("/")[2])
        return original(self, results)

    monkeypatch.setattr(DecodeImage, "transform", record)
    gold = len(dataset.datasets[0])
    for row in range(gold):
        dataset[row]
    assert loaded == list(SplitFolder(data.prepared / "gold").read().images.file_names)
    loaded.clear()
    for row in range(gold, len(dataset)):
        dataset[row]
    assert set(loaded) == set(SplitFolder(data.prepared / "silver").read().images.file_names)
    assert len(loaded) == 4 * (len(dataset) - gold)


@pytest.mark.slow
def test_a_student_trains_and_its_teacher_does_not_change(trained_tasks, tmp_path):
    task = trained_tasks("classification")
    params = task.params(train={"silver_augmentations": STRONG})
    train(task.prepared, task.prepared, tmp_path / "teacher", params)
    weights = (tmp_path / "teacher" / "weights.pth").read_bytes()
    assert weights == (task.model / "weights.pth").read_bytes()
    data = with_halves(task, tmp_path / "merged")
    for name, used in (("plain", task.params()), ("student", params)):
        train(data.prepared, task.prepared, tmp_path / name, used)
    plain, student = (tmp_path / name / "weights.pth" for name in ("plain", "student"))
    assert plain.read_bytes() != student.read_bytes()


TOO_LARGE = {"type": "albumentations.RandomCrop", "height": 500, "width": 500}


@pytest.mark.slow
def test_a_failure_on_silver_names_its_list(trained_tasks, tmp_path):
    data = with_halves(trained_tasks("classification"), tmp_path / "merged")
    flip = {"type": "RandomFlip", "prob": 0.5}
    with pytest.raises(ModelError) as error:
        check(data, train={"augmentations": [flip], "silver_augmentations": [TOO_LARGE]})
    text = str(error.value)
    assert text.startswith("train.silver_augmentations fail on the first image of silver: ")
    assert "\n" not in text


def test_failures_on_gold_and_silver_are_reported_together(trained_tasks, tmp_path):
    data = with_halves(trained_tasks("classification"), tmp_path / "merged")
    with pytest.raises(ModelError) as error:
        check(data, train={"augmentations": [TOO_LARGE], "silver_augmentations": STRONG})
    first, second = str(error.value).splitlines()
    assert first.startswith("train.augmentations fail on the first image of gold: ")
    assert second.startswith("train.augmentations fail on the first image of silver: ")


@pytest.mark.slow
def test_a_failure_of_the_common_list_on_silver_alone(trained_tasks, tmp_path):
    data = with_halves(trained_tasks("classification"), tmp_path / "merged")
    silver = SplitFolder(data.prepared / "silver")
    dataset = silver.read()
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), np.zeros((20, 20, 3), np.uint8))
    names = [str(small), *dataset.images.file_names[1:]]
    hashes = ["", *dataset.images.hashes[1:]]
    silver.write(replace(dataset, images=replace(dataset.images, file_names=names, hashes=hashes)))
    crop = {"type": "albumentations.RandomCrop", "height": 40, "width": 40}
    with pytest.raises(ModelError) as error:
        check(data, train={"augmentations": [crop], "silver_augmentations": STRONG})
    assert str(error.value).startswith("train.augmentations fail on the first image of silver: ")
