"""Prepared data with a pool of ten images, and predictions for the pool in three shards."""

import numpy as np

from pseudolabel.core.files import write_json
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.formats.shards import TEACHER_FILE, shard_path, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from tests import builders

SHARD_IMAGES = 4
SHARD_IDS = [np.arange(11, 15), np.arange(15, 19), np.arange(19, 21)]


def write_prepared(folder):
    """Write prepared data: gold images 1 to 4, pool images 11 to 20, no tuning images."""
    SplitFolder(folder / "gold").write(builders.dataset(4))
    for split, count in (("pool", 10), ("tuning", 0), ("partial", 0)):
        images = builders.images(count, first_id=11)
        SplitFolder(folder / split).write(Dataset(images, Annotations.empty(), builders.CATEGORIES))
    return folder


def random_predictions(count=60, image_count=9, seed=0, first_id=11):
    """Return random boxes on images from `first_id` on."""
    predicted = builders.random_predictions(np.random.default_rng(seed), count, image_count)
    predicted.image_ids[:] += first_id - 1
    return predicted


def write_predictions(folder, predicted, unreadable=(), round_number=1):
    """Write boxes on the pool as shards, and the record of their teacher."""
    for number, ids in enumerate(SHARD_IDS):
        names = [f"{image_id:04d}.png" for image_id in ids.tolist()]
        rows = predicted[np.isin(predicted.image_ids, ids)]
        write_shard(
            shard_path(folder, number), rows, [name for name in names if name in unreadable]
        )
    write_teacher(folder, round_number)


def write_teacher(folder, round_number=1, shard_images=SHARD_IMAGES):
    teacher = {"round": round_number, "weights": "feed", "images": 10}
    write_json(folder / TEACHER_FILE, teacher | {"shard_images": shard_images})
