import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch

from pseudolabel import masks
from pseudolabel.engines.adapter import RowsWriter
from pseudolabel.engines.checkpoints import load_weights
from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.labelling import label_missing_shards, label_pool
from pseudolabel.engines.predicting import Predictions, TrainedModel
from pseudolabel.engines.training import train
from pseudolabel.errors import ModelError
from pseudolabel.files import hash_file
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.records import Annotations
from tests.builders import images, same_rows
from tests.engines.conftest import ROOT, tiny_params
from tests.engines.finding import find_all
from tests.engines.test_training import wait_for, write_params


class OneBoxAnImage:
    """In the place of a model: one box an image, of the image's number; may die on the way."""

    def __init__(self, batch=2, dies_at=None):
        self.batch, self.dies_at, self.seen = batch, dies_at, []

    def predict(self, pool, first=0):
        for row in range(first, len(pool), self.batch):
            ids = pool.ids[row : row + self.batch]
            if self.dies_at is not None and self.dies_at in ids:
                raise KeyboardInterrupt
            self.seen += ids.tolist()
            boxes = np.tile(np.array([0, 0, 9, 9], np.float32), (len(ids), 1))
            found = Annotations.predicted(ids, np.ones(len(ids)), boxes, ids / 100, 1)
            yield Predictions(found, len(ids), [])

    def shard_writer(self, _):
        return RowsWriter()


def test_labelling_goes_on_at_the_first_missing_shard(tmp_path):
    pool = images(11)
    with pytest.raises(KeyboardInterrupt):
        label_missing_shards(pool, lambda: OneBoxAnImage(dies_at=7), tmp_path, 4)
    assert [path.name for path in tables.shard_paths(tmp_path)] == ["shard-000000.parquet"]
    second = OneBoxAnImage()
    label_missing_shards(pool, lambda: second, tmp_path, 4)
    assert second.seen == list(range(5, 12))
    assert tables.read_shards(tmp_path).image_ids.tolist() == list(range(1, 12))
    assert len(tables.shard_paths(tmp_path)) == 3


def test_a_finished_pool_loads_no_model(tmp_path):
    pool = images(4)
    label_missing_shards(pool, OneBoxAnImage, tmp_path, 4)

    def fail():
        raise AssertionError

    label_missing_shards(pool, fail, tmp_path, 4)


def test_a_model_labels_the_pool(root, prepared, model, tmp_path):
    params = tiny_params(root)
    label_pool(prepared, model, tmp_path / "predictions", 1, params)
    teacher = json.loads((tmp_path / "predictions" / tables.TEACHER).read_text())
    assert (teacher["round"], teacher["images"], teacher["unreadable"]) == (1, 10, [])
    found = tables.read_shards(tmp_path / "predictions")
    assert set(found.image_ids) <= set(read_coco(prepared / "pool" / FILE).images.ids)
    assert len(tables.shard_paths(tmp_path / "predictions")) == 3
    assert found.scores.min() >= params.pseudo_label.score_floor
    assert (found.boxes_xyxy[:, :2] >= 0).all()
    assert (found.boxes_xyxy[:, 2:] <= (96, 80)).all()
    assert set(found.rounds) == {1}
    # Labelled in another batch size, the rows are the same but for rounding.
    section = params.pseudo_label.model_copy(update={"batch_size": 3})
    other = find_all(
        TrainedModel([model], root / "images", section, round_number=1),
        read_coco(prepared / "pool" / FILE).images,
    )
    assert np.array_equal(other.image_ids, found.image_ids)
    assert np.allclose(other.scores, found.scores, atol=1e-4)


def test_an_unreadable_image_is_set_aside_and_listed(root, prepared, model, tmp_path):
    pool = read_coco(prepared / "pool" / FILE).images
    broken = tmp_path / "images"
    broken.mkdir()
    for name in pool.file_names:
        (broken / name).write_bytes((root / "images" / name).read_bytes())
    names = pool.file_names.tolist()
    (broken / names[2]).write_bytes((broken / names[2]).read_bytes()[:40])
    (broken / names[5]).unlink()
    params = tiny_params(tmp_path)
    label_pool(prepared, model, tmp_path / "predictions", 1, params)
    teacher = json.loads((tmp_path / "predictions" / tables.TEACHER).read_text())
    assert teacher["unreadable"] == [names[2], names[5]]
    labelled = set(tables.read_shards(tmp_path / "predictions").image_ids)
    assert labelled == set(pool.ids.tolist()) - {pool.ids[2], pool.ids[5]}


def labelling(root, **changes):
    return tiny_params(root).pseudo_label.model_copy(update=changes)


def test_objects_of_several_views_are_joined_by_votes(root, prepared, model, tmp_path):
    pool = read_coco(prepared / "pool" / FILE).images[:3]
    for name in pool.file_names:
        pixels = cv2.imread(str(root / "images" / name))
        cv2.imwrite(str(tmp_path / name), pixels[:, ::-1])
    views = {"scales": (1.0, 1.34), "flip": True, "score_floor": 0.0001}
    found = find_all(TrainedModel([model], root / "images", labelling(root, **views)), pool)
    mirrored = find_all(TrainedModel([model], tmp_path, labelling(root, **views)), pool)
    # Of an image and its mirror image, each is seen as both.
    assert len(found) == len(mirrored) > 0
    expected = found.boxes_xyxy[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (96, 0, 96, 0)
    assert np.sort(mirrored.scores) == pytest.approx(np.sort(found.scores), abs=1e-4)
    corners = np.sort(mirrored.boxes_xyxy, axis=0)
    assert corners == pytest.approx(np.sort(expected, axis=0), abs=0.05)
    for changes in ({"flip": False}, {"scales": (1.0,)}):
        section = labelling(root, **(views | changes))
        fewer = find_all(TrainedModel([model], root / "images", section), pool)
        assert not same_rows(found, fewer)


@pytest.mark.slow
def test_killed_labelling_keeps_its_shards(root, prepared, model, tmp_path):
    changes = {"batch_size": 1, "shard_images": 1}
    write_params(root, tmp_path, pseudo_label=changes)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prepared").symlink_to(prepared)
    (tmp_path / "rounds" / "0").mkdir(parents=True)
    (tmp_path / "rounds" / "0" / "champion").symlink_to(model)

    def start():
        return subprocess.Popen(
            [sys.executable, "-m", "stages.pseudo_label", "1"],
            cwd=tmp_path,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    process = start()
    scratch = tmp_path / ".scratch" / "pseudo_label"
    wait_for(lambda: list(scratch.glob("*/shard-000002.parquet")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in scratch.glob("*/shard-*.parquet")}
    assert 3 <= len(kept) <= 10
    time.sleep(0.01)
    process = start()
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
    shards = tables.shard_paths(tmp_path / "rounds" / "1" / "predictions")
    assert len(shards) == 10
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in shards}.items()
    label_pool(
        prepared,
        model,
        tmp_path / "whole",
        1,
        tiny_params(root, pseudo_label=changes),
    )
    in_one_go, in_two = (
        tables.read_shards(folder)
        for folder in (tmp_path / "whole", tmp_path / "rounds" / "1" / "predictions")
    )
    assert same_rows(in_one_go, in_two)


def test_tuning_is_labelled_beside_the_pool(root, prepared, model, tmp_path):
    data = tmp_path / "prepared"
    shutil.copytree(prepared, data)
    shutil.rmtree(data / "tuning")
    shutil.copytree(data / "val", data / "tuning")
    label_pool(data, model, tmp_path / "predictions", 1, tiny_params(root))
    found = tables.read_shards(tmp_path / "predictions" / "tuning")
    ids = read_coco(data / "val" / FILE).images.ids
    assert len(found)
    assert set(found.image_ids) <= set(ids)
    pool = tables.read_shards(tmp_path / "predictions")
    assert not set(pool.image_ids) & set(ids)


TASKS = [
    "detection",
    "semantic",
    "classification",
    pytest.param("instance", marks=pytest.mark.slow),
]
LONGER = {"iterations": 60, "ema_momentum": None}
"""What a tiny model of masks needs before any has a pixel."""


@pytest.mark.parametrize("any_task", ["semantic", "classification"], indirect=True)
def test_models_are_judged_by_all_views_that_are_asked_for(any_task):
    scores = []
    for changes in ({}, {"scales": (0.75, 1.25), "flip": True}):
        params = any_task.params()
        section = params.evaluate.model_copy(update=changes)
        row = judge(
            any_task.model, any_task.prepared, params.model_copy(update={"evaluate": section})
        ).row
        scores.append(row["val"])
    assert scores[0] != scores[1]


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_stability_is_told_for_every_image(any_task, tmp_path):
    schedule = {"snapshots": 2} | (LONGER if any_task.task == "instance" else {})
    prepared, model = any_task.prepared, tmp_path / "model"
    train(prepared, prepared, model, any_task.params(train=schedule))
    last, earlier = load_weights(model / "weights.pth"), load_weights(model / "earlier_2.pth")
    assert any(not torch.equal(last[name], earlier[name]) for name in last)
    if any_task.task != "instance":
        assert hash_file(model / "weights.pth") == hash_file(any_task.model / "weights.pth")
    label_pool(prepared, model, tmp_path / "plain", 1, any_task.params())
    pool = read_coco(prepared / "pool" / FILE).images
    for kind in ("checkpoints", "flip"):
        folder = tmp_path / kind
        label_pool(prepared, model, folder, 1, any_task.params(pseudo_label={"stability": kind}))
        ids, values = tables.read_stabilities(folder)
        assert ids.tolist() == pool.ids.tolist()
        assert ((values >= 0) & (values <= 1 + 1e-6)).all()
        # A comparison with itself would give 1 or 0 throughout.
        assert len(np.unique(values)) > 2
        # What is compared changes nothing about what is found.
        shards = zip(
            tables.shard_paths(folder), tables.shard_paths(tmp_path / "plain"), strict=True
        )
        assert all(one.read_bytes() == other.read_bytes() for one, other in shards)


def test_checkpoints_that_were_not_kept_are_missed(root, prepared, model, tmp_path):
    params = tiny_params(root, pseudo_label={"stability": "checkpoints"})
    with pytest.raises(ModelError, match=r"found none: set train\.snapshots"):
        label_pool(prepared, model, tmp_path / "predictions", 1, params)


def seen_in_a_mirror(any_task, model, tmp_path):
    """What is found in a mirrored view, put back, and in mirrored files, put back by hand."""
    pool = read_coco(any_task.prepared / "pool" / FILE).images[:3]
    for name in pool.file_names:
        pixels = cv2.imread(str(any_task.root / "images" / name))
        cv2.imwrite(str(tmp_path / name), pixels[:, ::-1])
    section = any_task.params().pseudo_label
    mirrored = TrainedModel([model], any_task.root / "images", section, stability="flip")
    views = next(iter(mirrored.loader(pool, 0)))[0]
    found = mirrored.forward(mirrored.other_looks[0], views)
    return found, find_all(TrainedModel([model], tmp_path, section), pool)


def test_boxes_seen_in_a_mirror_are_put_back(trained_tasks, tmp_path):
    task = trained_tasks("detection")
    found, by_hand = seen_in_a_mirror(task, task.model, tmp_path)
    assert len(found)
    expected = by_hand.boxes_xyxy[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (96, 0, 96, 0)
    assert found.boxes_xyxy == pytest.approx(expected, abs=1e-3)
    assert found.scores == pytest.approx(by_hand.scores, abs=1e-5)


@pytest.mark.slow
def test_masks_seen_in_a_mirror_are_put_back(trained_tasks, tmp_path):
    task = trained_tasks("instance")
    train(task.prepared, task.prepared, tmp_path / "longer", task.params(train=LONGER))
    found, by_hand = seen_in_a_mirror(task, tmp_path / "longer", tmp_path)
    assert len(found)
    pixels, mirrored = (masks.decode(it.masks, 80, 96) for it in (found, by_hand))
    assert np.array_equal(pixels, mirrored[:, :, ::-1])


def test_models_of_other_sizes_label_together(root, prepared, model, tmp_path):
    params = tiny_params(root, model={"image_size": [64, 64]})
    train(prepared, prepared, tmp_path / "small", params)
    pool = read_coco(prepared / "pool" / FILE).images[:4]
    section = params.pseudo_label
    joint, one, other = (
        find_all(TrainedModel(folders, root / "images", section), pool)
        for folders in ([model, tmp_path / "small"], [model], [tmp_path / "small"])
    )
    assert len(joint)
    assert not same_rows(joint, one)
    assert joint.scores.max() <= max(one.scores.max(), other.scores.max()) + 1e-6
    teachers = [str(model), str(tmp_path / "small")]
    params = tiny_params(root, pseudo_label={"teachers": teachers})
    label_pool(prepared, tmp_path / "nobody", tmp_path / "predictions", 1, params)
    record = json.loads((tmp_path / "predictions" / tables.TEACHER).read_text())
    assert len(record["weights_of_each"]) == 2


def test_teachers_that_are_no_models_or_of_other_classes_are_refused(
    root, prepared, model, tmp_path
):
    params = tiny_params(root, pseudo_label={"teachers": [str(tmp_path / "nobody")]})
    with pytest.raises(ModelError, match="nobody: expected a model folder"):
        label_pool(prepared, model, tmp_path / "predictions", 1, params)
    shutil.copytree(model, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text().replace('"rod"', '"stick"'))
    params = tiny_params(root, pseudo_label={"teachers": [str(model), str(tmp_path / "other")]})
    with pytest.raises(ModelError, match="expected the task and classes of"):
        label_pool(prepared, model, tmp_path / "predictions", 1, params)
