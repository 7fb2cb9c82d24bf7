"""The training data of each task, after all transforms."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from pseudolabel.core.errors import MachineError
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.formats.shards import shard_paths
from pseudolabel.formats.silver_folder import SOFT_LABELS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.models.configs import model_config
from pseudolabel.training.random_numbers import Turn
from pseudolabel.training.train import train
from tests.builders import pack_label_maps
from tests.gold_items import training_dataset

TASKS = ("detection", "instance", "semantic", "classification")


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_label_maps_are_padded_with_unlabelled_pixels(any_task):
    gold = SplitFolder(any_task.prepared / "gold")
    item = training_dataset(any_task, train={"augmentations": []})[0]
    labels = item["data_samples"].gt_sem_seg.data[0].numpy()
    assert np.array_equal(labels[:80], gold.label_map(int(gold.read().images.ids[0])))
    assert (labels[80:] == 255).all()
    assert item["inputs"].shape == (3, 96, 96)


@pytest.fixture
def packed(any_task, tmp_path):
    """Training data whose silver is gold: as PNG files, and as shards."""
    for name in ("files", "shards"):
        for source in ("gold", "silver"):
            shutil.copytree(any_task.prepared / "gold", tmp_path / name / source)
    pack_label_maps(tmp_path / "shards" / "silver")
    return [replace(any_task, prepared=tmp_path / name) for name in ("files", "shards")]


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_samples_from_shards_are_those_from_files(packed):
    files, shards = (training_dataset(data) for data in packed)
    assert len(files) == len(shards) > 4
    for row in np.random.default_rng(0).permutation(len(files)).tolist():
        one, other = files[row], shards[row]
        assert torch.equal(one["inputs"], other["inputs"])
        maps = (sample["data_samples"].gt_sem_seg.data for sample in (one, other))
        assert torch.equal(*maps)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_a_loader_worker_names_a_damaged_shard(packed):
    shards = training_dataset(packed[1])
    (path, *_) = shard_paths(packed[1].prepared / "silver" / LABEL_MAPS)
    path.write_bytes(path.read_bytes()[:-9])
    turns = [Turn(row, row) for row in range(len(shards))]
    loader = DataLoader(shards.dataset, 1, sampler=turns, num_workers=1, collate_fn=list)
    with pytest.raises(MachineError, match=r"shard-000000\.parquet: expected a shard"):
        list(loader)


@pytest.mark.parametrize("any_task", ["semantic"], indirect=True)
def test_loader_workers_train_on_shards_as_on_files(any_task, packed, tmp_path):
    weights, curves = [], []
    for data, workers in zip(packed, (0, 2), strict=True):
        params = data.params(train={"iterations": 6}, data={"workers": workers})
        model = tmp_path / f"model_{workers}"
        train(data.prepared, any_task.prepared, model, params)
        weights.append(load_weights(model / "weights.pth"))
        curves.append((model / "curve.csv").read_text())
    assert curves[0] == curves[1]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("any_task", ["instance"], indirect=True)
def test_training_masks_are_the_masks_of_gold(any_task):
    gold = SplitFolder(any_task.prepared / "gold").read()
    item = training_dataset(any_task, train={"augmentations": []})[0]
    first = next(gold.annotations.by_image(gold.images.ids))
    pixels = item["data_samples"].gt_instances.masks.masks
    assert pixels.shape == (len(first), 96, 96)
    assert pixels.sum(axis=(1, 2)).tolist() == first.areas.tolist()


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_training_labels_are_class_indices(any_task):
    gold = SplitFolder(any_task.prepared / "gold").read()
    items = training_dataset(any_task)
    labels = [int(items[row]["data_samples"].gt_label) for row in range(len(items))]
    assert labels == gold.class_indices.tolist()
    ids = [gold.categories[label].id for label in labels]
    assert ids == gold.annotations.category_ids.tolist()


MIXES = [
    ("neither", {"mixup": 0.0, "cutmix": 0.0}, None),
    ("mixup", {"mixup": 0.2, "cutmix": 0.0}, ["Mixup"]),
    ("both", {"mixup": 0.2, "cutmix": 1.0}, ["Mixup", "CutMix"]),
]


@pytest.mark.parametrize(
    ("changes", "names"), [mix[1:] for mix in MIXES], ids=[mix[0] for mix in MIXES]
)
@pytest.mark.slow
@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_mixing_and_smoothing_come_from_params(any_task, tmp_path, changes, names):
    params = any_task.params(train=changes | {"label_smoothing": 0.2, "iterations": 3})
    categories = SplitFolder(any_task.prepared / "gold").read().categories
    model = model_config(params, categories)
    assert model.head.loss.label_smooth_val == 0
    hard = any_task.params(train={"label_smoothing": 0.2, "soft_labels": False})
    assert model_config(hard, categories).head.loss.label_smooth_val == 0.2
    assert (model.train_cfg and [mix["type"] for mix in model.train_cfg["augments"]]) == names
    train(any_task.prepared, any_task.prepared, tmp_path / "model", params)
    assert (tmp_path / "model" / "weights.pth").exists()


def check_crop(sample, task):
    """Assert that the labels of an image lie inside a crop of 32 x 48 pixels."""
    if task == "semantic":
        assert sample.gt_sem_seg.data.shape == (1, 48, 32)
    if task in ("detection", "instance"):
        x1, y1, x2, y2 = sample.gt_instances.bboxes.tensor.T
        assert (x1 >= 0).all()
        assert (y1 >= 0).all()
        assert (x2 <= 32).all()
        assert (y2 <= 48).all()
    if task == "instance":
        masks = sample.gt_instances.masks.to_ndarray().astype(bool)
        assert masks.shape[1:] == (48, 32)
        for mask, box in zip(masks, sample.gt_instances.bboxes.tensor.tolist(), strict=True):
            rows, columns = np.nonzero(mask)
            around = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            assert np.abs(np.array(around) - box).max() <= 1


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_images_and_labels_are_cropped_together(any_task):
    items = training_dataset(any_task, train={"crop": [32, 48], "augmentations": []})
    for row in range(len(items)):
        item = items[row]
        assert item["inputs"].shape == (3, 48, 32)
        check_crop(item["data_samples"], any_task.task)


@pytest.mark.parametrize("any_task", ["classification"], indirect=True)
def test_silver_has_soft_labels_and_gold_has_smoothed_labels(any_task, tmp_path):
    shutil.copytree(any_task.prepared / "gold", tmp_path / "gold")
    shutil.copytree(any_task.prepared / "gold", tmp_path / "silver")
    gold = SplitFolder(tmp_path / "gold").read()
    even = np.ones(len(gold.categories))
    values = np.random.default_rng(0).dirichlet(even, len(gold.images)).astype(np.float32)
    np.save(tmp_path / "silver" / SOFT_LABELS, values)
    data = replace(any_task, prepared=tmp_path)
    items = training_dataset(data, train={"soft_labels": True, "label_smoothing": 0.3})
    samples = [items[row]["data_samples"] for row in range(len(items))]
    hard, soft = np.split(np.stack([sample.gt_score.numpy() for sample in samples]), 2)
    assert np.array_equal(soft, values)
    assert np.allclose(hard.sum(axis=1), 1)
    assert np.allclose(hard.max(axis=1), 0.7 + 0.3 / len(even))
    labels = [int(sample.gt_label) for sample in samples[: len(values)]]
    assert hard.argmax(axis=1).tolist() == labels
    plain = training_dataset(data, train={"soft_labels": False})
    assert "gt_score" not in plain[0]["data_samples"]
