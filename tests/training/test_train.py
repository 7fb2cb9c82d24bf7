"""Training, resuming and the record of a training."""

import csv
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from mmdet.datasets import CocoDataset

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_file, hash_folder
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.checkpoints import load_weights
from pseudolabel.training.train import last_checkpoint, train
from tests.conftest import tiny_params
from tests.processes import launcher, start_stage, wait_for, write_project

FILES = ["config.json", "curve.csv", "training.json", "weights.pth"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_model_folder_has_config_weights_curve_and_record(model, prepared):
    assert names(model) == FILES
    with (model / "curve.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["iteration"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(float(row["loss"]) > 0 for row in rows)
    record = json.loads((model / "training.json").read_text())
    assert record["data"]["gold"]["images"] == 6
    assert record["data"]["gold"]["hash"] == hash_folder(prepared / "gold")
    assert record["weights"] == hash_file(model / "weights.pth")
    config = json.loads((model / "config.json").read_text())
    assert config["model"]["bbox_head"]["num_classes"] == 3


@pytest.mark.slow
def test_the_seed_determines_the_weights(root, prepared, model, tmp_path):
    train(prepared, prepared, tmp_path / "again", tiny_params(root))
    assert hash_file(tmp_path / "again" / "weights.pth") == hash_file(model / "weights.pth")
    other = tiny_params(root).model_copy(update={"seed": 1})
    train(prepared, prepared, tmp_path / "other", other)
    assert hash_file(tmp_path / "other" / "weights.pth") != hash_file(model / "weights.pth")


def merged_folder(prepared, folder, root):
    """Training data whose silver has the true labels of the pool."""
    folder.mkdir()
    shutil.copytree(prepared / "gold", folder / "gold")
    SplitFolder(folder / "silver").write(read_coco(root / "oracle.json"))
    return folder


def sampled_images(monkeypatch, data, prepared, output, params):
    """The split and the path of all images that a training samples, in order."""
    sampled = []
    original = CocoDataset.prepare_data

    def recorded(self, index):
        sampled.append((Path(self.ann_file).parent.name, self.get_data_info(index)["img_path"]))
        return original(self, index)

    monkeypatch.setattr(CocoDataset, "prepare_data", recorded)
    train(data, prepared, output, params)
    # Augmentations are checked on the first image of gold and of silver before the training.
    return sampled[2:] if (data / "silver").exists() else sampled[1:]


@pytest.mark.slow
def test_gold_share_is_the_share_of_gold_in_batches(root, prepared, tmp_path, monkeypatch):
    data = merged_folder(prepared, tmp_path / "merged", root)
    params = tiny_params(root, train={"batch_size": 4, "gold_share": 0.25})
    sampled = sampled_images(monkeypatch, data, prepared, tmp_path / "student", params)
    splits = [split for split, _ in sampled]
    assert (splits.count("gold"), splits.count("silver")) == (6, 18)
    record = json.loads((tmp_path / "student" / "training.json").read_text())
    assert record["data"]["silver"]["images"] == 10


@pytest.mark.slow
def test_the_last_part_of_a_training_is_on_gold_alone(root, prepared, tmp_path, monkeypatch):
    data = merged_folder(prepared, tmp_path / "merged", root)
    params = tiny_params(root, train={"batch_size": 4, "gold_only_share": 0.5})
    sampled = sampled_images(monkeypatch, data, prepared, tmp_path / "student", params)
    splits = [split for split, _ in sampled]
    # Six batches of four: three with half gold, half silver, then three with gold alone.
    assert splits[:12].count("silver") == 6
    assert splits[12:] == ["gold"] * 12


@pytest.mark.slow
def test_images_of_rare_classes_are_oversampled(root, prepared, tmp_path, monkeypatch):
    gold = SplitFolder(prepared / "gold").read()
    rare = gold.images.ids[0]
    rows = gold.annotations
    rows = rows[(rows.category_ids != 3) | (rows.image_ids == rare)]
    rows = replace(rows, category_ids=np.where(rows.image_ids == rare, 3, 1).astype(np.int32))
    shutil.copytree(prepared, tmp_path / "prepared")
    SplitFolder(tmp_path / "prepared" / "gold").write(replace(gold, annotations=rows))
    params = tiny_params(root, train={"iterations": 21, "oversample_threshold": 0.5})
    folder = tmp_path / "prepared"
    sampled = sampled_images(monkeypatch, folder, prepared, tmp_path / "model", params)
    # One image of six has the rare class. Its factor is sqrt(0.5 * 6) = 1.7, so it is used twice.
    name = gold.images.file_names[0]
    assert (len(sampled), sum(path.endswith(name) for _, path in sampled)) == (42, 12)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_training_resumes_from_its_last_checkpoint(root, prepared, tmp_path, workers):
    kill_at = 5
    changes = {"train": {"iterations": 16, "checkpoint_every": 1}, "data": {"workers": workers}}
    write_project(root, prepared, tmp_path, **changes)
    process = start_stage(tmp_path, "train", 0)
    scratches = tmp_path / ".scratch" / "train"
    wait_for(lambda: list(scratches.glob(f"*/iter_{kill_at}.pth")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (scratch,) = scratches.iterdir()
    reached = int(last_checkpoint(scratch).stem.removeprefix("iter_"))
    assert kill_at - 1 <= reached < 16
    assert not (tmp_path / "rounds").exists()
    # A checkpoint that the kill cut short must not stop the training.
    (scratch / f"iter_{reached + 7}.pth").write_bytes(b"PK\x03\x04 half")
    process = start_stage(tmp_path, "train", 0)
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
    assert f"{reached}/16" in messages
    model = tmp_path / "rounds" / "0" / "model"
    assert names(model) == FILES
    with (model / "curve.csv").open() as stream:
        assert [int(row["iteration"]) for row in csv.DictReader(stream)] == list(range(1, 17))
    shutil.rmtree(scratches)
    train(prepared, prepared, tmp_path / "unbroken", tiny_params(root, train=changes["train"]))
    for name in ("weights.pth", "curve.csv"):
        assert (tmp_path / "unbroken" / name).read_bytes() == (model / name).read_bytes()


@pytest.mark.slow
def test_two_processes_train_one_model(root, prepared, tmp_path):
    write_project(root, prepared, tmp_path, train={"launcher": launcher(2), "batch_size": 4})
    process = start_stage(tmp_path, "train", 0)
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
    model = tmp_path / "rounds" / "0" / "model"
    assert names(model) == FILES
    assert load_weights(model / "weights.pth")


@pytest.mark.slow
def test_processes_that_outlive_their_stage_are_not_joined_by_others(root, prepared, tmp_path):
    changes = {
        "launcher": launcher(2),
        "batch_size": 4,
        "iterations": 60,
        "checkpoint_every": 1,
    }
    write_project(root, prepared, tmp_path, train=changes)
    process = start_stage(tmp_path, "train", 0)
    scratches = tmp_path / ".scratch" / "train"
    wait_for(lambda: list(scratches.glob("*/iter_2.pth")), process)
    left = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    second = start_stage(tmp_path, "train", 0)
    messages = second.communicate()[1].decode()
    assert second.returncode == 1
    assert "error: another run is training in .scratch/train/" in messages
    psutil.wait_procs(left)
    third = start_stage(tmp_path, "train", 0)
    messages = third.communicate()[1].decode()
    assert third.returncode == 0, messages
    assert names(tmp_path / "rounds" / "0" / "model") == FILES


FAULTS = [
    (
        "no such config",
        {"model": {"config": "mmdet::nothing.py"}},
        "or a path, found .mmdet::nothing.py",
    ),
    (
        "no such augmentation",
        {"train": {"augmentations": [{"type": "Flipp"}]}},
        "Flipp: expected the name of a transform",
    ),
    (
        "a wrong argument",
        {"train": {"augmentations": [{"type": "RandomFlip", "chance": 1}]}},
        "unexpected keyword argument 'chance'",
    ),
    ("no such optimizer", {"train": {"optimizer": {"type": "Adamm"}}}, "name of an optimizer"),
    (
        "no such weights",
        {"model": {"weights": "nothing.pth"}},
        "nothing.pth: expected a checkpoint of weights",
    ),
]


@pytest.mark.parametrize(
    ("changes", "message"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_faults_in_the_model_are_reported_before_training(
    root, prepared, tmp_path, changes, message
):
    with pytest.raises(ModelError, match=message):
        train(prepared, prepared, tmp_path / "model", tiny_params(root, **changes))
    assert not (tmp_path / "model").exists()


def test_training_starts_from_the_given_weights(root, prepared, model, tmp_path):
    # One step with a tiny learning rate hardly changes the weights.
    changes = {"learning_rate": 1e-9, "iterations": 1, "warmup_iterations": 0}
    changes |= {"ema_momentum": None, "optimizer": {"type": "SGD"}}
    params = tiny_params(root, train=changes, model={"weights": str(model / "weights.pth")})
    train(prepared, prepared, tmp_path / "tuned", params)
    before, after = (load_weights(folder / "weights.pth") for folder in (model, tmp_path / "tuned"))
    name = "backbone.stem.0.conv.weight"
    assert torch.allclose(before[name], after[name], atol=1e-6)
