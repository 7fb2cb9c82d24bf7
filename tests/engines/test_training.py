import csv
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmdet.datasets import CocoDataset

from pseudolabel.engines.checkpoints import load_checkpoint, load_weights
from pseudolabel.engines.training import last_checkpoint, train
from pseudolabel.errors import ModelError
from pseudolabel.files import hash_file, hash_folder
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from tests.engines.conftest import ROOT, tiny_params

FILES = ["config.json", "curve.csv", "training.json", "weights.pth"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_model_folder_holds_config_weights_curve_and_record(model, prepared):
    assert names(model) == FILES
    with (model / "curve.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(it["iteration"]) for it in rows] == [1, 2, 3, 4, 5, 6]
    assert all(float(it["loss"]) > 0 for it in rows)
    record = json.loads((model / "training.json").read_text())
    assert record["data"]["gold"]["images"] == 6
    assert record["data"]["gold"]["hash"] == hash_folder(prepared / "gold")
    assert record["weights"] == hash_file(model / "weights.pth")
    config = json.loads((model / "config.json").read_text())
    assert config["model"]["bbox_head"]["num_classes"] == 3


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    root, prepared, model, tmp_path
):
    train(prepared, prepared, tmp_path / "again", tiny_params(root))
    assert hash_file(tmp_path / "again" / "weights.pth") == hash_file(model / "weights.pth")
    other = tiny_params(root).model_copy(update={"seed": 1})
    train(prepared, prepared, tmp_path / "other", other)
    assert hash_file(tmp_path / "other" / "weights.pth") != hash_file(model / "weights.pth")


def silver_beside(prepared, folder, root):
    """A merged folder whose silver is the pool's truth."""
    folder.mkdir()
    shutil.copytree(prepared / "gold", folder / "gold")
    write_coco(folder / "silver" / FILE, read_coco(root / "oracle.json"))
    return folder


def test_gold_and_silver_are_drawn_at_the_ratio_asked_for(root, prepared, tmp_path, monkeypatch):
    data = silver_beside(prepared, tmp_path / "merged", root)
    drawn = []
    original = CocoDataset.prepare_data

    def counted(self, index):
        drawn.append(Path(self.ann_file).parent.name)
        return original(self, index)

    monkeypatch.setattr(CocoDataset, "prepare_data", counted)
    params = tiny_params(root, train={"batch_size": 4, "gold_share": 0.25})
    train(data, prepared, tmp_path / "student", params)
    # One more, on which augmentations are tried out.
    assert drawn.count("gold") == 7
    assert drawn.count("silver") == 18
    record = json.loads((tmp_path / "student" / "training.json").read_text())
    assert record["data"]["silver"]["images"] == 10


def drawn_by(monkeypatch, data, prepared, output, params):
    """The sources of all images that a training takes, in order."""
    drawn = []
    original = CocoDataset.prepare_data

    def noted(self, index):
        drawn.append((Path(self.ann_file).parent.name, self.get_data_info(index)["img_path"]))
        return original(self, index)

    monkeypatch.setattr(CocoDataset, "prepare_data", noted)
    train(data, prepared, output, params)
    # The first image of gold is tried out before the training.
    return drawn[1:]


def test_a_last_part_is_trained_on_gold_alone(root, prepared, tmp_path, monkeypatch):
    data = silver_beside(prepared, tmp_path / "merged", root)
    params = tiny_params(root, train={"batch_size": 4, "gold_only_share": 0.5})
    drawn = drawn_by(monkeypatch, data, prepared, tmp_path / "student", params)
    sources = [source for source, _ in drawn]
    # Six batches of four: half of each, then gold alone.
    assert sources[:12].count("silver") == 6
    assert sources[12:] == ["gold"] * 12


def test_images_of_rare_classes_come_more_often(root, prepared, tmp_path, monkeypatch):
    gold = read_coco(prepared / "gold" / FILE)
    rare = gold.images.ids[0]
    rows = gold.annotations
    rows = rows[(rows.category_ids != 3) | (rows.image_ids == rare)]
    rows = replace(rows, category_ids=np.where(rows.image_ids == rare, 3, 1).astype(np.int32))
    shutil.copytree(prepared, tmp_path / "prepared")
    write_coco(tmp_path / "prepared" / "gold" / FILE, replace(gold, annotations=rows))
    params = tiny_params(root, train={"iterations": 21, "oversample_threshold": 0.5})
    folder = tmp_path / "prepared"
    drawn = drawn_by(monkeypatch, folder, prepared, tmp_path / "model", params)
    # One image of six shows it, so it comes twice of seven: the square root of 0.5 * 6 is 1.7.
    name = gold.images.file_names[0]
    assert (len(drawn), sum(path.endswith(name) for _, path in drawn)) == (42, 12)


def write_params(root, folder, **changes):
    params = tiny_params(root, **changes)
    (folder / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json")))
    (folder / "configs").symlink_to(ROOT / "configs")
    return params


def start_stage(folder, prepared):
    """The train stage of round 0 as DVC would start it, in a workspace of its own."""
    (folder / "data").mkdir(exist_ok=True)
    if not (folder / "data" / "prepared").exists():
        (folder / "data" / "prepared").symlink_to(prepared)
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "stages.train", "0"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [2, 5])
def test_killed_training_goes_on_at_its_last_checkpoint(root, prepared, tmp_path, kill_at):
    write_params(root, tmp_path, train={"iterations": 40, "checkpoint_every": 1})
    process = start_stage(tmp_path, prepared)
    scratches = tmp_path / ".scratch" / "train"
    wait_for(lambda: list(scratches.glob(f"*/iter_{kill_at}.pth")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (scratch,) = scratches.iterdir()
    reached = int(last_checkpoint(scratch).stem.removeprefix("iter_"))
    assert kill_at - 1 <= reached < 40
    assert not (tmp_path / "rounds").exists()
    # A checkpoint that the kill cut short must not end the training.
    (scratch / f"iter_{reached + 7}.pth").write_bytes(b"PK\x03\x04 half")
    process = start_stage(tmp_path, prepared)
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
    assert f"{reached}/40" in messages
    model = tmp_path / "rounds" / "0" / "model"
    assert names(model) == FILES
    with (model / "curve.csv").open() as stream:
        assert [int(it["iteration"]) for it in csv.DictReader(stream)] == list(range(1, 41))
    assert not list(scratches.iterdir())


@pytest.mark.slow
def test_two_processes_train_one_model(root, prepared, tmp_path):
    launcher = {"processes": 2, "machines": 1, "machine_rank": 0, "rendezvous": "localhost:0"}
    write_params(root, tmp_path, train={"launcher": launcher, "batch_size": 4})
    process = start_stage(tmp_path, prepared)
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
    model = tmp_path / "rounds" / "0" / "model"
    assert names(model) == FILES
    assert load_weights(model / "weights.pth")


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
    ("changes", "message"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_what_cannot_be_built_is_told_before_training(root, prepared, tmp_path, changes, message):
    with pytest.raises(ModelError, match=message):
        train(prepared, prepared, tmp_path / "model", tiny_params(root, **changes))
    assert not (tmp_path / "model").exists()


def test_training_starts_from_the_weights_given(root, prepared, model, tmp_path):
    # One step at next to no learning rate leaves the weights where they were.
    changes = {"learning_rate": 1e-9, "iterations": 1, "warmup_iterations": 0}
    changes |= {"ema_momentum": None, "optimizer": {"type": "SGD"}}
    params = tiny_params(root, train=changes, model={"weights": str(model / "weights.pth")})
    train(prepared, prepared, tmp_path / "tuned", params)
    before, after = (load_weights(it / "weights.pth") for it in (model, tmp_path / "tuned"))
    name = "backbone.stem.0.conv.weight"
    assert torch.allclose(before[name], after[name], atol=1e-6)


@pytest.mark.parametrize("length", [0, 3, 4, 200, -1])
def test_a_checkpoint_cut_short_at_any_length_is_refused_and_the_one_before_is_taken(
    tmp_path, length
):
    whole = tmp_path / "iter_1.pth"
    torch.save({"state_dict": {"weight": torch.ones(300)}}, whole)
    (tmp_path / "iter_2.pth").write_bytes(whole.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"iter_2.pth: expected a checkpoint of weights, found \w"):
        load_checkpoint(tmp_path / "iter_2.pth")
    assert last_checkpoint(tmp_path) == whole
    assert names(tmp_path) == [whole.name]


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


def test_a_checkpoint_that_carries_code_is_refused_and_not_run(tmp_path):
    with (tmp_path / "evil.pth").open("wb") as stream:
        pickle.dump({"state_dict": Evil()}, stream)
    torch.save({"state_dict": Evil()}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(ModelError, match="expected a checkpoint of weights"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "evil").exists()
