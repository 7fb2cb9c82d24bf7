"""Labelling the pool: shards, resuming, teachers."""

import json
import os
import shutil
import signal
import time

import numpy as np
import pytest

from pseudolabel.core.errors import ModelError
from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.map_shards import MapShards
from pseudolabel.formats.prediction_store import shard_writer
from pseudolabel.formats.shards import TEACHER_FILE, read_shards, shard_paths
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.batches import BatchPredictions
from pseudolabel.predictions.label_shards import label_missing_shards
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.training.train import train
from tests.builders import images, same_rows
from tests.conftest import tiny_params
from tests.finding import find_all
from tests.leaks import prepared_from
from tests.processes import start_stage, wait_for, write_project


class OneBoxPerImage:
    """Replaces a model: predicts one box per image, scored by its id; can fail at an image."""

    def __init__(self, batch=2, fails_at=None):
        self.batch, self.fails_at, self.seen = batch, fails_at, []

    def predict(self, pool):
        for row in range(0, len(pool), self.batch):
            ids = pool.ids[row : row + self.batch]
            if self.fails_at is not None and self.fails_at in ids:
                raise KeyboardInterrupt
            self.seen += ids.tolist()
            boxes = np.tile(np.array([0, 0, 9, 9], np.float32), (len(ids), 1))
            rows = Annotations.predicted(ids, np.ones(len(ids)), boxes, ids / 100, 1)
            yield BatchPredictions(rows, len(ids), [])

    def shard_writer(self, folder):
        return shard_writer("objects", folder, 1)


class OneMapPerImage:
    """Replaces a model: predicts a map filled with the image's id; can fail after an image."""

    def __init__(self, fails_after=None):
        self.fails_after = fails_after

    def predict(self, pool):
        for row in range(0, len(pool), 2):
            ids = pool.ids[row : row + 2]
            maps = [np.full((3, 4), image_id, np.uint8) for image_id in ids]
            yield BatchPredictions(LabelMaps(ids, maps, maps), len(ids), [])
            if self.fails_after in ids:
                raise KeyboardInterrupt

    def shard_writer(self, folder):
        return shard_writer("pixels", folder, 20)


def test_labelling_resumes_at_the_first_missing_shard(tmp_path):
    pool = images(11)
    with pytest.raises(KeyboardInterrupt):
        label_missing_shards(pool, lambda: OneBoxPerImage(fails_at=7), tmp_path, 4)
    assert [path.name for path in shard_paths(tmp_path)] == ["shard-000000.parquet"]
    second = OneBoxPerImage()
    label_missing_shards(pool, lambda: second, tmp_path, 4)
    assert second.seen == list(range(5, 12))
    assert read_shards(tmp_path).image_ids.tolist() == list(range(1, 12))
    assert len(shard_paths(tmp_path)) == 3


def test_maps_of_an_incomplete_shard_are_written_again(tmp_path):
    pool = images(11)
    with pytest.raises(KeyboardInterrupt):
        label_missing_shards(pool, lambda: OneMapPerImage(fails_after=6), tmp_path, 4)
    assert len(shard_paths(tmp_path)) == 1
    label_missing_shards(pool, OneMapPerImage, tmp_path, 4)
    assert len(list(tmp_path.iterdir())) == 3
    maps = MapShards(shard_paths(tmp_path))
    assert maps.image_ids.tolist() == list(range(1, 12))
    for image_id in range(1, 12):
        assert (maps.labels(image_id) == image_id).all()


def test_no_model_is_loaded_if_all_shards_exist(tmp_path):
    pool = images(4)
    label_missing_shards(pool, OneBoxPerImage, tmp_path, 4)

    def fail():
        raise AssertionError

    label_missing_shards(pool, fail, tmp_path, 4)


def test_a_model_labels_the_pool(root, prepared, model, tmp_path):
    params = tiny_params(root)
    label_pool(prepared, model, tmp_path / "predictions", 1, params)
    teacher = json.loads((tmp_path / "predictions" / TEACHER_FILE).read_text())
    assert (teacher["round"], teacher["images"], teacher["unreadable"]) == (1, 10, [])
    rows = read_shards(tmp_path / "predictions")
    pool = SplitFolder(prepared / "pool").read().images
    assert set(rows.image_ids) <= set(pool.ids)
    assert len(shard_paths(tmp_path / "predictions")) == 3
    assert rows.scores.min() >= params.pseudo_label.score_floor
    assert (rows.boxes_xyxy[:, :2] >= 0).all()
    assert (rows.boxes_xyxy[:, 2:] <= (96, 80)).all()
    assert set(rows.rounds) == {1}
    # With another batch size, the rows are the same except for rounding.
    section = params.pseudo_label.model_copy(update={"batch_size": 3})
    other = find_all(TrainedModels([model], root / "images", section, round_number=1), pool)
    assert np.array_equal(other.image_ids, rows.image_ids)
    assert np.allclose(other.scores, rows.scores, atol=1e-4)


def test_unreadable_images_are_listed(root, prepared, model, tmp_path):
    pool = SplitFolder(prepared / "pool").read().images
    folder = tmp_path / "images"
    folder.mkdir()
    names = pool.file_names.tolist()
    for name in names:
        shutil.copy(root / "images" / name, folder)
    (folder / names[2]).write_bytes((folder / names[2]).read_bytes()[:40])
    (folder / names[5]).unlink()
    data = prepared_from(folder, prepared, tmp_path / "prepared")
    label_pool(data, model, tmp_path / "predictions", 1, tiny_params(tmp_path))
    teacher = json.loads((tmp_path / "predictions" / TEACHER_FILE).read_text())
    assert teacher["unreadable"] == [names[2], names[5]]
    labelled = set(read_shards(tmp_path / "predictions").image_ids)
    assert labelled == set(pool.ids.tolist()) - {pool.ids[2], pool.ids[5]}


@pytest.mark.slow
def test_killed_labelling_keeps_its_shards(root, prepared, model, tmp_path):
    changes = {"batch_size": 1, "shard_images": 1}
    write_project(root, prepared, tmp_path, pseudo_label=changes)
    (tmp_path / "rounds" / "0").mkdir(parents=True)
    (tmp_path / "rounds" / "0" / "champion").symlink_to(model)
    process = start_stage(tmp_path, "pseudo_label", 1)
    scratch = tmp_path / ".scratch" / "pseudo_label"
    wait_for(lambda: list(scratch.glob("*/shard-000002.parquet")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in scratch.glob("*/shard-*.parquet")}
    assert 3 <= len(kept) <= 10
    time.sleep(0.01)
    process = start_stage(tmp_path, "pseudo_label", 1)
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
    resumed = tmp_path / "rounds" / "1" / "predictions"
    shards = shard_paths(resumed)
    assert len(shards) == 10
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in shards}.items()
    params = tiny_params(root, pseudo_label=changes)
    shutil.rmtree(tmp_path / ".scratch")
    label_pool(prepared, model, tmp_path / "uninterrupted", 1, params)
    assert same_rows(read_shards(tmp_path / "uninterrupted"), read_shards(resumed))


def test_the_images_of_tuning_are_labelled_into_a_separate_folder(root, prepared, model, tmp_path):
    data = tmp_path / "prepared"
    shutil.copytree(prepared, data)
    shutil.rmtree(data / "tuning")
    shutil.copytree(data / "val", data / "tuning")
    label_pool(data, model, tmp_path / "predictions", 1, tiny_params(root))
    rows = read_shards(tmp_path / "predictions" / "tuning")
    ids = SplitFolder(data / "val").read().images.ids
    assert len(rows)
    assert set(rows.image_ids) <= set(ids)
    assert not set(read_shards(tmp_path / "predictions").image_ids) & set(ids)


def test_partly_labelled_gold_is_labelled_into_a_separate_folder(root, prepared, model, tmp_path):
    data = tmp_path / "prepared"
    shutil.copytree(prepared, data)
    gold = SplitFolder(data / "gold").read()
    images = Dataset(gold.images[:2], Annotations.empty(), gold.categories)
    SplitFolder(data / "partial").write(images)
    label_pool(data, model, tmp_path / "predictions", 1, tiny_params(root))
    rows = read_shards(tmp_path / "predictions" / "partial")
    assert set(rows.image_ids.tolist()) == set(gold.images.ids[:2].tolist())
    label_pool(prepared, model, tmp_path / "other", 1, tiny_params(root))
    assert not (tmp_path / "other" / "partial").exists()


@pytest.mark.slow
def test_models_with_different_image_sizes_label_together(root, prepared, model, tmp_path):
    params = tiny_params(root, model={"image_size": [64, 64]})
    train(prepared, prepared, tmp_path / "small", params)
    pool = SplitFolder(prepared / "pool").read().images[:4]
    section = params.pseudo_label
    joint, one, other = (
        find_all(TrainedModels(folders, root / "images", section), pool)
        for folders in ([model, tmp_path / "small"], [model], [tmp_path / "small"])
    )
    assert len(joint)
    assert not same_rows(joint, one)
    assert joint.scores.max() <= max(one.scores.max(), other.scores.max()) + 1e-6
    teachers = [str(model), str(tmp_path / "small")]
    params = tiny_params(root, pseudo_label={"teachers": teachers})
    label_pool(prepared, tmp_path / "no_champion", tmp_path / "predictions", 1, params)
    record = json.loads((tmp_path / "predictions" / TEACHER_FILE).read_text())
    assert len(record["weights_of_each"]) == 2


def test_teachers_without_a_model_or_with_other_classes_are_refused(
    root, prepared, model, tmp_path
):
    params = tiny_params(root, pseudo_label={"teachers": [str(tmp_path / "nothing")]})
    with pytest.raises(ModelError, match="nothing: expected a model folder"):
        label_pool(prepared, model, tmp_path / "predictions", 1, params)
    shutil.copytree(model, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text().replace('"rod"', '"stick"'))
    params = tiny_params(root, pseudo_label={"teachers": [str(model), str(tmp_path / "other")]})
    with pytest.raises(ModelError, match="expected the task and classes of"):
        label_pool(prepared, model, tmp_path / "predictions", 1, params)
