"""A pool that grows: what is labelled, and that the result is that of labelling all at once."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pseudolabel.core.workdir import SCRATCH
from pseudolabel.formats.shards import TEACHER_FILE, read_shards
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.pseudo_label import label_pool
from tests.finding import contents

TASKS = ("detection", "instance", "semantic", "classification")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


@pytest.fixture
def predicted(monkeypatch):
    """The names of the images that a model has predicted."""
    names, predict = [], TrainedModels.predict

    def record(self, images):
        names.extend(images.file_names.tolist())
        return predict(self, images)

    monkeypatch.setattr(TrainedModels, "predict", record)
    return names


def with_pool(data, folder, rows):
    """Prepared data whose pool has some of the images, with ids of their own."""
    shutil.copytree(data.prepared, folder)
    split = SplitFolder(folder / "pool")
    pool = split.read()
    images = replace(pool.images[np.array(rows)], ids=np.arange(1000, 1000 + len(rows)))
    split.write(replace(pool, images=images))
    return folder


@pytest.mark.parametrize("any_task", TASKS, indirect=True)
def test_a_pool_that_grows_costs_the_new_images(any_task, tmp_path, predicted):
    params = any_task.params(pseudo_label={"stability": "flip"})
    small = with_pool(any_task, tmp_path / "small", [0, 2, 3, 5, 8])
    grown = with_pool(any_task, tmp_path / "grown", [0, 1, 2, 4, 5, 6, 7, 8, 9])
    tuning = SplitFolder(small / "tuning").read().images.file_names.tolist()
    pool = SplitFolder(any_task.prepared / "pool").read().images.file_names
    label_pool(small, any_task.model, tmp_path / "first", 1, params)
    predicted.clear()
    label_pool(grown, any_task.model, tmp_path / "second", 1, params)
    assert predicted == [*pool[[1, 4, 6, 7, 9]], *tuning]
    shutil.rmtree(SCRATCH)
    label_pool(grown, any_task.model, tmp_path / "fresh", 1, params)
    assert contents(tmp_path / "second") == contents(tmp_path / "fresh")
    # Images that are gone label nothing.
    predicted.clear()
    label_pool(small, any_task.model, tmp_path / "again", 1, params)
    assert predicted == [pool[3], *tuning]
    assert contents(tmp_path / "again") == contents(tmp_path / "first")


@pytest.fixture
def labelled(trained_tasks, tmp_path):
    """A detector's data after its pool was labelled, with the images in a folder of their own."""
    data = trained_tasks("detection")
    shutil.copytree(data.root, tmp_path / "raw")
    shutil.copytree(data.prepared, tmp_path / "prepared")
    mine = replace(data, root=tmp_path / "raw", prepared=tmp_path / "prepared")
    label_pool(mine.prepared, mine.model, tmp_path / "first", 1, mine.params())
    return mine


def pool_of(data):
    return SplitFolder(data.prepared / "pool").read().images


def test_other_parameters_label_all_again(labelled, tmp_path, predicted):
    changed = labelled.params(pseudo_label={"nms_iou": 0.5})
    label_pool(labelled.prepared, labelled.model, tmp_path / "again", 1, changed)
    assert len(predicted) >= len(pool_of(labelled))


def test_another_teacher_labels_all_again(labelled, tmp_path, predicted):
    other = tmp_path / "model"
    shutil.copytree(labelled.model, other)
    with (other / "weights.pth").open("ab") as stream:
        stream.write(b" ")
    label_pool(labelled.prepared, other, tmp_path / "again", 1, labelled.params())
    assert len(predicted) >= len(pool_of(labelled))


def test_another_round_labels_all_again(labelled, tmp_path, predicted):
    label_pool(labelled.prepared, labelled.model, tmp_path / "again", 2, labelled.params())
    assert len(predicted) >= len(pool_of(labelled))
    assert set(read_shards(tmp_path / "again").rounds) == {2}


def test_damaged_predictions_are_not_taken_again(labelled, tmp_path, predicted):
    (kept,) = SCRATCH.glob("kept_predictions/1/shard-000000.parquet")
    content = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(content[:-1] + b"x")
    for finished in SCRATCH.glob("pseudo_label/*"):
        shutil.rmtree(finished)
    label_pool(labelled.prepared, labelled.model, tmp_path / "again", 1, labelled.params())
    assert len(predicted) >= len(pool_of(labelled))
    assert contents(tmp_path / "again") == contents(tmp_path / "first")


def test_an_image_that_can_be_read_at_last_is_labelled(labelled, tmp_path, predicted):
    pool = pool_of(labelled)
    name = pool.file_names[2]
    content = (labelled.root / "images" / name).read_bytes()
    (labelled.root / "images" / name).unlink()
    changed = labelled.params(pseudo_label={"nms_iou": 0.5})
    label_pool(labelled.prepared, labelled.model, tmp_path / "second", 1, changed)
    assert json.loads((tmp_path / "second" / TEACHER_FILE).read_text())["unreadable"] == [name]
    (labelled.root / "images" / name).write_bytes(content)
    for finished in SCRATCH.glob("pseudo_label/*"):
        shutil.rmtree(finished)
    predicted.clear()
    label_pool(labelled.prepared, labelled.model, tmp_path / "third", 1, changed)
    assert predicted[0] == name
    assert len(predicted) < len(pool)
    assert json.loads((tmp_path / "third" / TEACHER_FILE).read_text())["unreadable"] == []


def test_an_image_that_stays_unreadable_is_listed_again(labelled, tmp_path):
    pool = pool_of(labelled)
    names = [str(pool.file_names[2]), str(pool.file_names[6])]
    for name in names:
        (labelled.root / "images" / name).unlink()
    changed = labelled.params(pseudo_label={"nms_iou": 0.5})
    label_pool(labelled.prepared, labelled.model, tmp_path / "second", 1, changed)
    for finished in SCRATCH.glob("pseudo_label/*"):
        shutil.rmtree(finished)
    label_pool(labelled.prepared, labelled.model, tmp_path / "third", 1, changed)
    assert contents(tmp_path / "third") == contents(tmp_path / "second")
    assert json.loads((tmp_path / "third" / TEACHER_FILE).read_text())["unreadable"] == names


def test_copies_of_an_image_have_its_predictions(labelled, tmp_path, predicted):
    pool = pool_of(labelled)
    split = SplitFolder(labelled.prepared / "pool")
    hashes, names = pool.hashes.copy(), pool.file_names.copy()
    hashes[9], names[9] = hashes[0], "copy.png"
    shutil.copy(labelled.root / "images" / names[0], labelled.root / "images" / "copy.png")
    split.write(replace(split.read(), images=replace(pool, hashes=hashes, file_names=names)))
    label_pool(labelled.prepared, labelled.model, tmp_path / "second", 1, labelled.params())
    assert not set(predicted) & set(names.tolist())
    rows = read_shards(tmp_path / "second")
    one, other = (rows[rows.image_ids == pool.ids[row]] for row in (0, 9))
    assert len(one)
    assert np.array_equal(one.boxes_xyxy, other.boxes_xyxy)
