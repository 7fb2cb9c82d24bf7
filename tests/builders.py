"""Small data sets, built in one or two lines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.formats.map_shards import MapShardWriter
from pseudolabel.formats.shards import shard_path
from pseudolabel.params.common import Prepare
from pseudolabel.params.filter import Filter

CATEGORIES = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))


def splitting(val_share: float = 0.25, **changes: Any) -> Prepare:
    """The section `prepare` for tests; by default images are not decoded."""
    values = {"tuning_share": 0.0, "folds": None, "fold": 0}
    values |= {"duplicate_distance": None, "transductive": False, "max_pixels": 100_000_000}
    return Prepare.model_validate({"val_share": val_share} | values | changes)


def open_filter(kind: type[Filter], **changes: Any) -> Any:
    """The section `filter` of a task: every label passes, except for the given changes."""
    values = {
        "alarms": "off",
        "alarm_factor": 4,
        "score": 0.0,
        "auto": {"aim": "f1", "at": None},
        "calibrate": False,
        "reliability": "score",
        "top_share": 1.0,
        "max_per_class": None,
        "hide_score": None,
        "min_confident_share": 0.0,
        "max_hidden_area": 1.0,
        "nms_iou": 1.0,
        "min_side": 1,
        "edge_margin": None,
        "min_boxes": 0,
        "max_boxes": 1000,
        "min_stability": 0.0,
        "min_area": 1,
        "max_overlap": 1.0,
        "min_confident": 0.0,
    }
    known = {name: value for name, value in values.items() if name in kind.model_fields}
    return kind.model_validate(known | changes)


def images(count: int, first_id: int = 1, width: int = 100, height: int = 80) -> Images:
    ids = list(range(first_id, first_id + count))
    names = [f"{image_id:04d}.png" for image_id in ids]
    return Images.build(ids, names, [width] * count, [height] * count)


def predictions(rows: Sequence[tuple[int, int, Sequence[float], float]], round_number: int = 1):
    """Predictions from rows of image id, category id, box x1 y1 x2 y2, score."""
    return Annotations.predicted(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[3] for row in rows], np.float32),
        round_number,
    )


def random_predictions(
    rng: np.random.Generator, count: int, image_count: int, classes: int = 3
) -> Annotations:
    corners = rng.uniform(0, 60, (count, 2))
    sides = rng.uniform(1, 40, (count, 2))
    return Annotations.predicted(
        np.sort(rng.integers(1, image_count + 1, count)).astype(np.int64),
        rng.integers(1, classes + 1, count).astype(np.int32),
        np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        rng.random(count).astype(np.float32),
        1,
    )


def gold(rows: Sequence[tuple[int, int, Sequence[float]]], first_id: int = 1) -> Annotations:
    """Gold labels from rows of image id, category id, box x1 y1 x2 y2."""
    boxes = np.array([row[2] for row in rows], np.float32).reshape(-1, 4)
    return Annotations.gold(
        list(range(first_id, first_id + len(rows))),
        [row[0] for row in rows],
        [row[1] for row in rows],
        boxes,
        (boxes[:, 2:] - boxes[:, :2]).prod(axis=1),
        [False] * len(rows),
    )


def dataset(image_count: int = 4, first_id: int = 1) -> Dataset:
    rows = [
        (first_id + number, 1 + number % 3, (5, 5, 20 + number, 30))
        for number in range(image_count)
    ]
    return Dataset(images(image_count, first_id), gold(rows), CATEGORIES)


def same_rows(one: Annotations, other: Annotations) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("image_ids", "category_ids", "boxes_xyxy", "scores", "rounds")
    )


def write_image(path: Path, seed: int, width: int = 40, height: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    cv2.imwrite(str(path), pixels)


def coco(names: Sequence[str], first_id: int = 1, **size: int) -> dict[str, Any]:
    """A COCO file with one box per image."""
    width, height = size.get("width", 40), size.get("height", 30)
    ids = range(first_id, first_id + len(names))
    return {
        "categories": [{"id": category.id, "name": category.name} for category in CATEGORIES],
        "images": [
            {"id": image_id, "file_name": name, "width": width, "height": height}
            for image_id, name in zip(ids, names, strict=True)
        ],
        "annotations": [
            {"id": row, "image_id": row, "category_id": 1 + row % 3, "bbox": [2, 3, 10, 12]}
            for row in ids
        ],
    }


def raw_root(root: Path, gold_count: int = 4, pool_count: int = 3, **splits: int) -> Path:
    """A raw root of small noise images, with val and test if their counts are given."""
    number = 0
    for split, count in {"gold": gold_count, **splits}.items():
        names = [f"{split}/{index}.png" for index in range(count)]
        for name in names:
            number += 1
            write_image(root / "images" / name, number)
        write_json(root / f"{split}.json", coco(names, first_id=number - count + 1))
    for index in range(pool_count):
        number += 1
        write_image(root / "images" / "pool" / f"{index}.png", number)
    return root


def pack_label_maps(folder: Path, shard_images: int = 3) -> None:
    """Replace the PNG files with the label maps of a split by shards, as silver has them."""
    files = sorted((folder / LABEL_MAPS).glob("*.png"))
    writer = MapShardWriter(folder / ".unfinished")
    for number, begin in enumerate(range(0, len(files), shard_images)):
        for path in files[begin : begin + shard_images]:
            writer.add(int(path.stem), path.read_bytes())
            path.unlink()
        writer.close(shard_path(folder / LABEL_MAPS, number))


def pseudolabel(*arguments: object) -> tuple[int, str, str]:
    """Run `python -m pseudolabel`, and return its exit status, output and messages."""
    result = subprocess.run(
        [sys.executable, "-m", "pseudolabel", *map(str, arguments)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(value))
