"""Filter and merge a pool of a million images with twenty million predicted boxes.

    python -m benchmarks.million                 # one million images, as in docs/benchmarks.md
    python -m benchmarks.million --images 20000  # a quick run

The program generates predictions, and filters and merges them as the stages do, with all filters.
It prints the seconds and the peak memory of each step. Then a plain loop over images, as notebooks
use it, filters and merges a part of the images. The program prints the estimated time for all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measuring import measure
from pseudolabel.core.datasets import PARTIAL, TUNING
from pseudolabel.core.files import write_json
from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.formats.shards import TEACHER_FILE, read_shard, shard_path, write_shard
from pseudolabel.formats.silver_folder import REPORT
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import ObjectFilter
from pseudolabel.silver import FILTERS
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.merge import merge

CATEGORIES = tuple(Category(number, f"class {number}") for number in range(1, 6))
SECTION = ObjectFilter.model_validate(
    {
        "alarms": "warn",
        "alarm_factor": 4,
        "score": "auto",
        "auto": {"aim": "f1", "at": None},
        "calibrate": True,
        "reliability": "score",
        "top_share": 0.9,
        "max_per_class": 1_500_000,
        "hide_score": 0.15,
        "min_confident_share": 0.2,
        "max_hidden_area": 0.5,
        "nms_iou": 0.6,
        "min_side": 4,
        "edge_margin": 0,
        "min_boxes": 1,
        "max_boxes": 100,
    }
)
LOOP_SCORE = 0.4
"""The threshold of the plain loop, which only filters by score, sides, edge and NMS."""
TUNING_IMAGES = 2_000
SHARD_IMAGES = 20_000
WIDTH, HEIGHT = 640, 480
BOXES = 20
LOOPED_IMAGES = 20_000
"""Images for the plain loop: enough to measure its speed."""


def generate(folder: Path, count: int) -> None:
    """Write a pool of `count` images, a small gold set, tuning and 20 predictions per image.

    The silver of the round before has the predictions with a score of 0.5 or more.
    """
    names = [f"{number:07d}.jpg" for number in range(1, count + TUNING_IMAGES + 101)]
    ids = range(1, len(names) + 1)
    images = Images.build(ids, names, [WIDTH] * len(ids), [HEIGHT] * len(ids))
    pool, tuning, gold = images[:count], images[count:-100], images[-100:]
    rng = np.random.default_rng(0)
    predictions, before = folder / "predictions", folder / "before"
    predicted = random_predictions(rng, tuning.ids)
    write_shard(shard_path(predictions / TUNING, 0), predicted)
    true = predicted[rng.random(len(predicted)) < predicted.scores]
    true = replace(true, ids=np.arange(1, len(true) + 1), rounds=np.zeros(len(true), np.int16))
    empty = Annotations.empty()
    splits = [("pool", pool, empty), ("gold", gold, empty), (TUNING, tuning, true)]
    for split, part, rows in [*splits, (PARTIAL, Images.empty(), empty)]:
        SplitFolder(folder / "prepared" / split).write(Dataset(part, rows, CATEGORIES))
    amounts = np.zeros(len(CATEGORIES), np.int64)
    for number, begin in enumerate(range(0, count, SHARD_IMAGES)):
        predicted = random_predictions(rng, pool.ids[begin : begin + SHARD_IMAGES])
        write_shard(shard_path(predictions, number), predicted)
        kept = predicted[predicted.scores >= 0.5]
        write_shard(shard_path(before, number), kept)
        amounts += np.bincount(kept.category_ids - 1, minlength=len(CATEGORIES))
    teacher = {"round": 2, "weights": "generated", "images": count, "shard_images": SHARD_IMAGES}
    write_json(predictions / TEACHER_FILE, teacher)
    write_json(before / TEACHER_FILE, teacher | {"round": 1})
    names = [category.name for category in CATEGORIES]
    counts = dict(zip(names, amounts.tolist(), strict=True))
    write_json(before / REPORT, {"annotations": {"out_by_class": counts}, "mean_score": 0.7})


def random_predictions(rng: np.random.Generator, image_ids: np.ndarray) -> Annotations:
    """Return 20 random boxes per image, in overlapping pairs."""
    count = len(image_ids) * BOXES
    corners = rng.uniform((0, 0), (WIDTH - 120, HEIGHT - 120), (count, 2))
    corners[1::2] = corners[::2] + rng.normal(0, 4, (count // 2, 2)).clip(-8, 8)
    corners = corners.clip(0)
    sides = rng.uniform(3, 110, (count, 2))
    sides[1::2] = sides[::2]
    classes = rng.integers(1, len(CATEGORIES) + 1, count)
    classes[1::2] = classes[::2]
    boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    scores = rng.beta(1.2, 1.2, count).astype(np.float32)
    return Annotations.predicted(np.repeat(image_ids, BOXES), classes, boxes, scores, 2)


def run_filter(folder: Path) -> None:
    """Filter as the stage does."""
    names = ("prepared", "predictions", "before", "silver")
    write_silver(*(folder / name for name in names), SECTION, FILTERS["detection"])


def run_merge(folder: Path) -> None:
    """Merge as the stage does."""
    merge(folder / "prepared", folder / "silver", folder / "merged")


def run_loop(folder: Path) -> None:
    """Filter and merge the first images with a plain loop over images and boxes."""
    predicted = read_shard(shard_path(folder / "predictions", 0))
    pool = SplitFolder(folder / "prepared" / "pool").read().images[:LOOPED_IMAGES]
    by_image: dict[int, list[tuple[list[float], float, int]]] = {}
    rows = zip(
        predicted.image_ids.tolist(),
        predicted.boxes_xyxy.tolist(),
        predicted.scores.tolist(),
        predicted.category_ids.tolist(),
        strict=True,
    )
    for image_id, box, score, category_id in rows:
        by_image.setdefault(image_id, []).append((box, score, category_id))
    images, annotations = [], []
    for image_id, name in zip(pool.ids.tolist(), pool.file_names, strict=True):
        kept = filter_image(by_image.get(image_id, []))
        if not SECTION.min_boxes <= len(kept) <= SECTION.max_boxes:
            continue
        images.append({"id": image_id, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for (x1, y1, x2, y2), score, category_id in kept:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category_id,
                    "bbox": [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": round((x2 - x1) * (y2 - y1), 2),
                    "score": round(score, 4),
                    "source": "silver",
                }
            )
    text = json.dumps({"images": images, "annotations": annotations})
    (folder / "looped.json").write_text(text)


def filter_image(
    rows: list[tuple[list[float], float, int]],
) -> list[tuple[list[float], float, int]]:
    """Return the boxes of one image that pass the filters of the plain loop."""
    kept: list[tuple[list[float], float, int]] = []
    for box, score, category_id in sorted(rows, key=lambda row: -row[1]):
        x1, y1, x2, y2 = box
        if score < LOOP_SCORE or min(x2 - x1, y2 - y1) < SECTION.min_side:
            continue
        if x1 <= 0 or y1 <= 0 or x2 >= WIDTH or y2 >= HEIGHT:
            continue
        others = (other for other, _, other_class in kept if other_class == category_id)
        if all(iou(box, other) <= SECTION.nms_iou for other in others):
            kept.append((box, score, category_id))
    return kept


def iou(one: list[float], other: list[float]) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def main() -> None:
    """Generate predictions, measure the steps and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument(
        "--folder", type=Path, help="folder for a temporary folder (default: the system's)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        generate(folder, arguments.images)
        print(f"{arguments.images:,} images, {arguments.images * BOXES:,} boxes")
        total = 0.0
        for label, job in (("filter", run_filter), ("merge", run_merge)):
            cost = measure(job, folder)
            total += cost.seconds
            print(f"{label}: {cost}")
        print(f"filter and merge: {total:.1f} s")
        looped = min(LOOPED_IMAGES, arguments.images)
        cost = measure(run_loop, folder)
        estimate = cost.seconds * arguments.images / looped
        print(
            f"plain loop over {looped:,} images: {cost}; estimated {estimate:.0f} s for all images"
        )
        silver = json.loads((folder / "silver" / REPORT).read_text())["annotations"]
        hidden = sum(silver["hidden_by_class"].values())
        size = size_gb(folder / "merged")
        print(f"kept {silver['out']:,} boxes, hidden {hidden:,}; merged file {size:.2f} GB")


def size_gb(folder: Path) -> float:
    """Return the size of the JSON files in a folder, in GB."""
    return sum(path.stat().st_size for path in folder.rglob("*.json")) / 1e9


if __name__ == "__main__":
    main()
