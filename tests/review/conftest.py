"""A project in which round 1 has silver, with a tiny model of each task."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from pseudolabel.core import masks
from pseudolabel.core.columns import object_array
from pseudolabel.core.datasets import TUNING
from pseudolabel.core.files import write_json
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.records import Annotations
from pseudolabel.formats.shards import TEACHER_FILE, shard_path, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.silver import FILTERS
from pseudolabel.silver.filter import write_silver

FILTER = {
    "detection": {"score": 0.3},
    "instance": {"score": 0.3, "min_stability": 0.0},
    "semantic": {"score": 0.0, "min_confident": 0.0},
    "classification": {"score": 0.0, "calibrate": False},
}


def predicted_objects(images, has_masks, seed):
    """Three objects per image, far from each other, of any class and score."""
    rng = np.random.default_rng(seed)
    count = 3 * len(images)
    corners = np.tile([[2, 2], [40, 30], [70, 5]], (len(images), 1))
    boxes = np.hstack([corners, corners + rng.integers(8, 20, (count, 2))]).astype(np.float32)
    image_ids, classes = np.repeat(images.ids, 3), rng.integers(1, 4, count).astype(np.int32)
    scores = rng.uniform(0.1, 1, count).astype(np.float32)
    rows = Annotations.predicted(image_ids, classes, boxes, scores, 1)
    if not has_masks:
        return rows
    pixels = np.zeros((count, 80, 96), bool)
    for mask, (left, top, right, bottom) in zip(pixels, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    return replace(rows, masks=object_array(masks.encode(pixels)), stabilities=scores)


def write_objects(folder, has_masks):
    """Predictions of objects: tiny models find none."""
    (folder / TUNING).mkdir(parents=True)
    for split, target in (("pool", folder), (TUNING, folder / TUNING)):
        images = SplitFolder(PREPARED / split).read().images
        write_shard(shard_path(target, 0), predicted_objects(images, has_masks, len(images)))
    teacher = {"round": 1, "images": 10, "shard_images": 2000, "weights": "0" * 32}
    write_json(folder / TEACHER_FILE, teacher)


@pytest.fixture
def project(any_task, tmp_path):
    """The parameters of a project in the working folder."""
    task, root = any_task.task, any_task.root
    (tmp_path / "data").mkdir()
    PREPARED.symlink_to(any_task.prepared)
    teacher, folder = RoundFolder(0), RoundFolder(1)
    teacher.path.mkdir(parents=True)
    teacher.champion.symlink_to(any_task.model)
    kept = {"alarms": "off", **FILTER[task]}
    params = any_task.params(filter=kept, data={"root": str(root)})
    if task in ("detection", "instance"):
        write_objects(folder.predictions, task == "instance")
    else:
        label_pool(PREPARED, teacher.champion, folder.predictions, 1, params)
    now = in_round(params, 1)
    write_silver(PREPARED, folder.predictions, None, folder.silver, now.filter, FILTERS[task])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json")))
    return params


def names_in(split):
    """The names of the images of a split."""
    return set(SplitFolder(PREPARED / split).read().images.file_names.tolist())
