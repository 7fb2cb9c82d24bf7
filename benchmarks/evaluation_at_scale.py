"""Score predictions for 100,000 images with two million gold boxes, with the interval of a gain.

python -m benchmarks.evaluation_at_scale                 # as in docs/benchmarks.md
python -m benchmarks.evaluation_at_scale --images 10000  # a quick run
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.formats.shards import write_shard
from pseudolabel.formats.split_folder import SplitFolder

CATEGORIES = tuple(Category(number, f"class {number}") for number in range(1, 9))
WIDTH, HEIGHT = 640, 480
BOXES = 20
MAX_BOXES = 100


def generate(folder: Path, count: int) -> None:
    """Write gold of `count` images, and the predictions of a model and of the champion."""
    rng = np.random.default_rng(0)
    ids = np.arange(1, count + 1)
    names = [f"{number:07d}.jpg" for number in range(1, count + 1)]
    images = Images.build(ids, names, [WIDTH] * count, [HEIGHT] * count)
    image_ids = np.repeat(ids, BOXES)
    total = len(image_ids)
    # Half of the sides are below 32 pixels; a tenth are above 96.
    sides = np.exp(rng.normal(np.log(34), 0.85, (total, 2))).clip(4, 320)
    corners = rng.uniform(0, 1, (total, 2)) * ((WIDTH, HEIGHT) - sides)
    boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    classes = rng.integers(1, len(CATEGORIES) + 1, total)
    crowds = rng.random(total) < 0.01
    gold = Annotations.gold(
        range(1, total + 1), image_ids, classes, boxes, sides.prod(axis=1), crowds
    )
    SplitFolder(folder / "val").write(Dataset(images, gold, CATEGORIES))
    for name, noise in (("model", 0.08), ("champion", 0.1)):
        write_shard(folder / f"{name}.parquet", random_predictions(rng, gold, noise))


def random_predictions(rng: np.random.Generator, gold: Annotations, noise: float) -> Annotations:
    """Return predictions: most of gold with moved corners, and false boxes, 1.3 per gold box."""
    found = gold[rng.random(len(gold)) < 0.85]
    sides = np.tile(found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2], 2)
    moved = found.boxes_xyxy + rng.normal(0, noise, sides.shape) * sides
    false = gold[rng.random(len(gold)) < 0.45]
    away = false.boxes_xyxy + np.tile(rng.normal(0, 60, (len(false), 2)), 2)
    boxes = np.concatenate([moved, away]).clip(0, [WIDTH, HEIGHT] * 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    scores = np.concatenate([rng.beta(4, 2, len(found)), rng.beta(2, 4, len(false))])
    rows = Annotations.concatenate([found, false])
    predicted = Annotations.predicted(
        rows.image_ids, rows.category_ids, boxes.astype(np.float32), scores.astype(np.float32), 1
    )
    return predicted[np.argsort(predicted.image_ids, kind="stable")]
