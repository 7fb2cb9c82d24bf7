import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from pseudolabel.engines.adapter import RowsWriter
from pseudolabel.engines.labelling import label_missing_shards, label_pool
from pseudolabel.engines.predicting import Predictions, TrainedModel
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


def test_flipping_joins_what_two_views_show(root, prepared, model):
    pool = read_coco(prepared / "pool" / FILE).images[:4]
    plain, flipped = (
        find_all(TrainedModel([model], root / "images", labelling(root, flip=flip)), pool)
        for flip in (False, True)
    )
    assert not same_rows(plain, flipped)
    # The joined rows hold the best of the plain view: nothing better than a view's best is made up.
    best = [found.scores[found.image_ids == pool.ids[0]].max() for found in (plain, flipped)]
    assert best[1] >= best[0] - 1e-5
    assert (flipped.boxes_xyxy[:, 2:] <= (96, 80)).all()


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
