"""PasteGold: labelled objects of gold in silver images, each with its label."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from pseudolabel.core.errors import ModelError
from pseudolabel.training.paste_gold import PasteGold
from pseudolabel.training.train import train
from tests.conftest import ROOT
from tests.gold_items import training_dataset
from tests.training.test_silver_augmentations import with_halves

SIZE = (60, 80)


def image_of(boxes, labels, value, with_masks=False, dtype=np.uint8):
    """An image of one value, with objects whose masks fill the lower half of their boxes."""
    results = {
        "img": np.full((*SIZE, 3), value, dtype),
        "gt_bboxes": HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
        "gt_bboxes_labels": np.array(labels),
        "gt_ignore_flags": np.zeros(len(boxes), bool),
    }
    if with_masks:
        masks = np.zeros((len(boxes), *SIZE), np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
            mask[(y1 + y2) // 2 : y2, x1:x2] = 1
        results["gt_masks"] = BitmapMasks(masks, *SIZE)
    return results


def paste(source, target, **options):
    """The target after all objects of the source were pasted, unless options say otherwise."""
    transform = PasteGold(**{"p": 1.0} | options)
    transform.gold = [source]
    return transform.transform(target)


def boxes_of(results):
    return results["gt_bboxes"].tensor.tolist()


@pytest.mark.parametrize("seed", range(6))
def test_boxes_that_overlap_are_pasted_together(seed):
    chain = [[0, 0, 10, 10], [8, 0, 18, 10], [16, 0, 26, 10]]
    apart = [50, 30, 60, 40]
    np.random.seed(seed)  # noqa: NPY002 - as SeededDataset does
    source = image_of([chain[1], apart, chain[0], chain[2]], [1, 2, 0, 3], 200)
    after = paste(source, image_of([], [], 100), max_objects=1)
    pasted = (after["img"] == 200).all(axis=2)
    if pasted[35, 55]:
        assert (boxes_of(after), after["gt_bboxes_labels"].tolist()) == ([apart], [2])
        assert pasted.sum() == 100
    else:
        assert boxes_of(after) == [chain[1], chain[0], chain[2]]
        assert after["gt_bboxes_labels"].tolist() == [1, 0, 3]
        assert pasted.sum() == 260


def test_an_object_below_stays_with_its_box_or_is_hidden():
    target = image_of([[10, 10, 30, 20], [20, 10, 34, 20], [50, 40, 60, 50]], [4, 5, 6], 100)
    target["img"][:, :, 0] = 40
    target["img"][10:20, 10:30] = 90
    target["img"][10:20, 30:34] = 250
    after = paste(image_of([[22, 0, 40, 20]], [0], 200), target)
    # Of the first object, 60% stay visible; of the second, 14%.
    assert boxes_of(after) == [[10, 10, 30, 20], [50, 40, 60, 50], [22, 0, 40, 20]]
    assert after["gt_bboxes_labels"].tolist() == [4, 6, 0]
    assert not after["gt_ignore_flags"].any()
    assert (after["img"][0:20, 22:40] == 200).all()
    assert (after["img"][10:20, 10:22] == 90).all()


def test_what_is_left_of_a_covered_object_is_filled():
    target = image_of([[20, 10, 34, 20]], [5], 100)
    target["img"][10:20, 20:34] = 250
    after = paste(image_of([[22, 0, 40, 20]], [0], 200), target)
    assert after["gt_bboxes_labels"].tolist() == [0]
    assert not (after["img"] == 250).any()
    assert (after["img"][10:20, 20:22] < 200).all()


def test_masks_lose_the_covered_part_and_boxes_follow():
    target = image_of([[10, 10, 30, 20], [50, 40, 60, 50]], [4, 6], 100, with_masks=True)
    after = paste(image_of([[24, 10, 40, 20]], [0], 200, with_masks=True), target)
    assert boxes_of(after) == [[10, 15, 24, 20], [50, 40, 60, 50], [24, 10, 40, 20]]
    counts = after["gt_masks"].masks.sum(axis=(1, 2)).tolist()
    assert counts == [14 * 5, 10 * 5, 16 * 5]
    assert (after["img"] == 200).all(axis=2).sum() == 16 * 5


def test_colours_outside_of_bytes_stay_as_they_are():
    target = image_of([[50, 40, 60, 50]], [6], -7.5, dtype=np.float32)
    after = paste(image_of([[0, 0, 10, 10]], [0], 263.25, dtype=np.float32), target)
    assert np.unique(after["img"]).tolist() == [-7.5, 263.25]


@pytest.mark.parametrize("options", [{"p": 0.0}, {}], ids=["never", "no objects in gold"])
def test_an_image_may_stay_unchanged(options):
    source = image_of([[0, 0, 9, 9]] if options else [], [0] if options else [], 200)
    target = image_of([[50, 40, 60, 50]], [6], 100)
    assert paste(source, target, **options) is target


@pytest.mark.parametrize("any_task", ["detection", "instance"], indirect=True)
def test_objects_of_gold_are_pasted_into_silver_alone(any_task, tmp_path):
    data = with_halves(any_task, tmp_path / "merged")
    plain = training_dataset(data, train={"augmentations": [], "silver_augmentations": []})
    lists = {"augmentations": [], "silver_augmentations": [{"type": "PasteGold", "p": 1.0}]}
    dataset = training_dataset(data, train=lists)
    gold, pasted = len(dataset.datasets[0]), 0
    labelled = [objects_of(plain[row]) for row in range(gold)]
    for row in range(len(dataset)):
        item, before = dataset[row], plain[row]
        if row < gold:
            assert np.array_equal(item["inputs"], before["inputs"])
        else:
            new = objects_of(item) - objects_of(before)
            pasted += max(len(new & boxes) for boxes in labelled)
    assert pasted > 3


def objects_of(item):
    """The boxes of a training image by whole pixels, as a set."""
    boxes = item["data_samples"].gt_instances.bboxes.tensor.numpy()
    return {tuple(box) for box in boxes.round().astype(int).tolist()}


@pytest.mark.parametrize(
    ("any_task", "name", "arguments", "fault"),
    [
        ("detection", "augmentations", {}, "expected in silver_augmentations alone"),
        ("semantic", "silver_augmentations", {}, "expected a task with objects, found semantic"),
        ("detection", "silver_augmentations", {"p": 1.5}, r"expected p from 0 to 1, found 1\.5"),
        ("detection", "silver_augmentations", {"max_objects": 0}, "expected max_objects from 1"),
        ("detection", "silver_augmentations", {"min_visible": 2}, "expected min_visible from 0"),
        ("detection", "silver_augmentations", {"gold": {}}, "expected no argument gold"),
    ],
    indirect=["any_task"],
)
def test_a_wrong_use_is_a_fault(any_task, name, arguments, fault):
    with pytest.raises(ModelError, match=f"train.{name}:\\n  PasteGold: {fault}"):
        training_dataset(any_task, train={name: [{"type": "PasteGold"} | arguments]})


_FRESH = """
import sys
from pathlib import Path
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.sources import TrainingData
from tests.conftest import tiny_params
gold, root = map(Path, sys.argv[1:])
params = tiny_params(root, train={"silver_augmentations": [{"type": "PasteGold"}]})
categories = SplitFolder(gold).read().categories
sources, weights = TrainingData(gold, gold), InitialWeights(None)
config = build_config(sources, categories, root, params, weights)
print(len(config.train_dataloader.dataset.datasets))
"""


def test_a_fresh_process_knows_the_transform(root, prepared):
    command = [sys.executable, "-c", _FRESH, prepared / "gold", root]
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.stdout == "2\n", done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("any_task", ["detection", "instance"], indirect=True)
def test_a_student_trains_with_pasted_objects(any_task, tmp_path):
    data = with_halves(any_task, tmp_path / "merged")
    for name, p in (("plain", 0.0), ("student", 1.0)):
        silver = [{"type": "PasteGold", "p": p}]
        params = data.params(train={"silver_augmentations": silver})
        train(data.prepared, any_task.prepared, tmp_path / name, params)
    plain, student = (tmp_path / name / "weights.pth" for name in ("plain", "student"))
    assert plain.read_bytes() != student.read_bytes()
