"""Score predictions for 100,000 images with two million gold boxes, with the interval of a gain.

    python -m benchmarks.evaluation_at_scale                 # as in docs/benchmarks.md
    python -m benchmarks.evaluation_at_scale --images 10000  # a quick run

The program writes val, and the predictions of a model and of the champion. It scores them as the
stage `evaluate` does, without the model's own time. Then pycocotools scores a tenth of the images;
the program prints the largest difference of its twelve numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.measuring import measure
from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.evaluation.average_precision import interpolated_precision
from pseudolabel.evaluation.bootstrap import gain_interval
from pseudolabel.evaluation.object_matching import IOU_THRESHOLDS, Matches, match
from pseudolabel.evaluation.object_overlaps import box_overlaps, boxes_xywh
from pseudolabel.evaluation.objects import BoxScorer
from pseudolabel.formats.shards import read_shard, write_shard
from pseudolabel.formats.split_folder import SplitFolder

CATEGORIES = tuple(Category(number, f"class {number}") for number in range(1, 9))
WIDTH, HEIGHT = 640, 480
BOXES = 20
MAX_BOXES = 100
BATCH_BOXES = 1000
SEED = 0


def generate(folder: Path, count: int) -> None:
    """Write gold of `count` images, and the predictions of a model and of the champion."""
    rng = np.random.default_rng(0)
    ids = np.arange(1, count + 1)
    names = [f"{number:07d}.jpg" for number in range(1, count + 1)]
    images = Images.build(ids, names, [WIDTH] * count, [HEIGHT] * count)
    image_ids = np.repeat(ids, BOXES)
    total = len(image_ids)
    # Half of the sides are below 34 pixels; a tenth are above 96. Gold has half pixels: files have
    # two decimals, and records 32-bit floats, so that other numbers are rounded in between.
    sides = np.rint(np.exp(rng.normal(np.log(34), 0.85, (total, 2))).clip(4, 320) * 2) / 2
    corners = np.floor(rng.uniform(0, 1, (total, 2)) * ((WIDTH, HEIGHT) - sides) * 2) / 2
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


def score(folder: Path) -> list[str]:
    """Score the model and its gain over the champion as `evaluate` does; return lines to print."""
    times = [time.perf_counter()]
    val = SplitFolder(folder / "val")
    scorer = BoxScorer(val.read(), MAX_BOXES)
    predictions = read_shard(folder / "model.parquet")
    for begin in range(0, len(predictions), BATCH_BOXES):
        scorer.add(predictions[begin : begin + BATCH_BOXES])
    times.append(time.perf_counter())
    overall, _ = scorer.result()
    times.append(time.perf_counter())
    scorer.write(folder / "outcome")
    truth = val.read()
    champion = BoxScorer(truth, MAX_BOXES)
    champion.read(folder / "champion.parquet")
    interval = gain_interval(scorer, champion, len(truth.images), SEED)
    times.append(time.perf_counter())
    read, scored, compared = np.diff(times)
    return [
        f"  gold and {len(predictions):,} predictions read: {read:.1f} s",
        f"  metrics: {scored:.1f} s; mAP {overall['mAP']}",
        f"  interval of the gain: {compared:.1f} s; {interval}",
    ]


def our_numbers(folder: Path) -> list[float]:
    """Return the twelve numbers of COCO's summary, from this project's evaluation."""
    truth, classes = SplitFolder(folder / "val").read(), len(CATEGORIES)
    matches = match(truth, read_shard(folder / "model.parquet"), MAX_BOXES, box_overlaps)
    precision = interpolated_precision(matches, classes)
    numbers = [precision[..., 0], precision[0, ..., 0], precision[5, ..., 0]]
    numbers += [precision[..., area] for area in (1, 2, 3)]
    numbers += [recalls(matches, boxes, 0) for boxes in (1, 10, MAX_BOXES)]
    numbers += [recalls(matches, MAX_BOXES, area) for area in (1, 2, 3)]
    return [float(np.nanmean(values)) for values in numbers]


def recalls(matches: Matches, boxes: int, area: int) -> np.ndarray:
    """Return the recall of the best boxes per image and class, by threshold and class."""
    groups = matches.images * len(CATEGORIES) + matches.classes
    best = np.arange(len(groups)) - np.searchsorted(groups, groups) < boxes
    right = (matches.hits & ~matches.ignored)[best, area]
    gold = np.bincount(
        matches.gold_classes[matches.gold_counts[:, area]], minlength=len(CATEGORIES)
    )
    found = [
        np.bincount(matches.classes[best], right >> threshold & 1, len(CATEGORIES))
        for threshold in range(len(IOU_THRESHOLDS))
    ]
    return np.array(found) / np.where(gold, gold, np.nan)


def numbers_of_pycocotools(folder: Path) -> list[float]:
    """Return the same numbers, from pycocotools."""
    predicted = read_shard(folder / "model.parquet")
    columns = {
        "image_id": predicted.image_ids.tolist(),
        "category_id": predicted.category_ids.tolist(),
        "bbox": boxes_xywh(predicted).tolist(),
        "score": predicted.scores.tolist(),
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(SplitFolder(folder / "val").coco_file)
        evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()


def main() -> None:
    """Generate data, score it and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        whole, tenth = Path(name) / "whole", Path(name) / "tenth"
        for folder, count in ((whole, arguments.images), (tenth, arguments.images // 10)):
            (folder / "val").mkdir(parents=True)
            measure(generate, folder, count)
        cost = measure(score, whole)
        print(f"{arguments.images:,} images, {arguments.images * BOXES:,} gold boxes: {cost}")
        print("\n".join(cost.result))
        ours, theirs = measure(our_numbers, tenth), measure(numbers_of_pycocotools, tenth)
        print(f"{arguments.images // 10:,} images, pseudolabel: {ours}")
        print(f"{arguments.images // 10:,} images, pycocotools: {theirs}")
        difference = np.abs(np.subtract(ours.result, theirs.result)).max()
        print(f"largest difference of the twelve numbers: {difference:.1e}")


if __name__ == "__main__":
    main()
