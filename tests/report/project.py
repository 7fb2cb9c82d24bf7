"""A project after some rounds without any model: predictions are noisy copies of true labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from pseudolabel.core.columns import positions
from pseudolabel.core.datasets import TUNING
from pseudolabel.core.files import read_json, write_csv, write_json
from pseudolabel.core.per_round import in_round
from pseudolabel.core.prediction_records import LabelMaps, Probabilities
from pseudolabel.core.project import METRICS, PREPARED, REPORT, RoundFolder
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.core.tasks import TASKS
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.history import outcome_path
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.prediction_store import shard_writer
from pseudolabel.formats.shards import shard_path
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.params.loading import read_yaml, validate
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.report.round_index import write_round_index
from pseudolabel.report.site import write_site
from pseudolabel.silver import FILTERS
from pseudolabel.silver.filter import write_silver
from pseudolabel.splits.prepare import prepare

ROOT = Path(__file__).parents[2]
RAW = Path("data/sample")
SHARD_IMAGES = 5
FILTER = {
    "detection": {"score": 0.5, "hide_score": 0.3, "min_boxes": 9, "min_side": 4},
    "instance": {"score": 0.5, "hide_score": 0.3, "min_boxes": 2, "min_stability": 0.0},
    "semantic": {"score": 0.6, "min_confident": 0.3},
    "classification": {"score": 0.5},
}


@dataclass(frozen=True)
class Project:
    """The working folder is the project's folder."""

    params: Params

    def write_report(self) -> str:
        return write_site(PREPARED, METRICS, REPORT, self.params)


def make_project(task="detection", rounds=2, names=(), file_name=None, **sample) -> Project:
    """Make a project in the working folder, up to the index of its last round.

    Its first classes get the given names, and an image of the pool the given file name.
    """
    values = read_yaml(ROOT / "presets" / f"{task}.yaml")
    sizes = {"gold": 6, "val": 6, "test": 3, "pool": 12, "width": 96, "height": 80}
    values["sample"] |= sizes | sample
    values["filter"] |= FILTER[task] | {"alarms": "off"}
    values["pseudo_label"] |= {"shard_images": SHARD_IMAGES, "batch_size": 1}
    values |= {"round": rounds}
    params = validate(values, "a test")
    SAMPLES[task](RAW, params.sample)
    if file_name is not None:
        rename_image(RAW, file_name)
    prepare(RAW, PREPARED, task, params.prepare, 0)
    rename_classes(PREPARED, names)
    history = []
    for number in range(rounds + 1):
        folder = RoundFolder(number)
        write_model(folder)
        if number:
            predict_pool(folder, task, params.pseudo_label.shard_images)
            filter_pool(folder, in_round(params, number))
        history.append(score(folder, params))
        write_json(folder.evaluation / "history.json", history)
        write_json(folder.evaluation / "speed.json", [10.0] * len(history))
        write_round_index(folder, PREPARED, task)
    return Project(params)


def rename_image(raw, file_name):
    """Give the first image of the pool another name."""
    content = read_json(raw / "oracle.json")
    image = content["images"][0]
    (raw / "images" / image["file_name"]).rename(raw / "images" / file_name)
    image["file_name"] = file_name
    write_json(raw / "oracle.json", content)


def rename_classes(prepared, names):
    """Give classes other names: those of prepared data, which are checked no more."""
    for path in prepared.glob("*/coco.json"):
        content = read_json(path)
        for category, name in zip(content.get("categories", []), names, strict=False):
            category["name"] = name
        write_json(path, content)


def write_model(folder):
    number = folder.number
    record = {"weights": f"feed{number}", "initial_weights": None, "images": []}
    record["data"] = {"gold": {"images": 6, "annotations": 20, "hash": "c0de", "hidden": 0}}
    write_json(folder.model / "training.json", record)
    rows = [{"iteration": step, "loss": 2 / step, "learning_rate": 0.1} for step in range(1, 6)]
    write_csv(folder.model / "curve.csv", rows)


def filter_pool(folder, params):
    before = RoundFolder(folder.number - 1).silver if folder.number > 1 else None
    write_silver(
        PREPARED, folder.predictions, before, folder.silver, params.filter, FILTERS[params.task]
    )


def predict_pool(folder, task, shard_images):
    """Write predictions for the pool and for tuning."""
    pool = SplitFolder(PREPARED / "pool").read()
    truth = read_coco(RAW / "oracle.json")
    by_name = dict(zip(truth.images.file_names, truth.images.ids, strict=True))
    known = np.array([by_name[name] for name in pool.images.file_names])
    own = truth.annotations[np.isin(truth.annotations.image_ids, known)]
    order = positions(own.image_ids, known)
    pool = replace(pool, annotations=replace(own, image_ids=pool.images.ids[order]))
    tuning = SplitFolder(PREPARED / TUNING).read()
    for dataset, path in ((pool, folder.predictions), (tuning, folder.predictions / TUNING)):
        write_predictions(dataset, path, task, folder.number, shard_images)
    teacher = {"round": folder.number, "weights": f"feed{folder.number - 1}"}
    teacher |= {"images": len(pool.images), "shard_images": shard_images, "unreadable": []}
    write_json(folder.predictions / "teacher.json", teacher)


def write_predictions(dataset, path, task, number, shard_images):
    kind = TASKS[task].kind
    path.mkdir(parents=True, exist_ok=True)
    writer = shard_writer(kind, path, len(dataset.categories))
    for shard, begin in enumerate(range(0, len(dataset.images), shard_images)):
        images = dataset.images[begin : begin + shard_images]
        part = dataset.annotations[np.isin(dataset.annotations.image_ids, images.ids)]
        writer.add(noisy(replace(dataset, images=images, annotations=part), kind, number))
        writer.close(shard_path(path, shard), [])


def noisy(dataset, kind, number):
    """Predictions for all images of a data set; a later round has less noise."""
    rng = np.random.default_rng([number, int(dataset.images.ids[0])])
    if kind == "objects":
        return noisy_objects(dataset.annotations, len(dataset.categories), rng, number)
    count, classes = len(dataset.images), len(dataset.categories)
    if kind == "classes":
        values = rng.gamma(0.7, size=(count, classes))
        rows = positions(dataset.annotations.image_ids, dataset.images.ids)
        values[rows, dataset.class_indices] += 1.0 * number
        values = values / values.sum(axis=1, keepdims=True)
        return Probabilities(dataset.images.ids, values.astype(np.float32))
    shapes = list(zip(dataset.images.heights.tolist(), dataset.images.widths.tolist(), strict=True))
    labels = [np.zeros(shape, np.uint8) for shape in shapes]
    for image in labels:
        for index in range(1, classes):
            top, left = (int(rng.integers(0, side - 30)) for side in image.shape)
            image[top : top + 30, left : left + 30] = index
    confidences = [np.tile(np.linspace(90, 255, shape[1]), (shape[0], 1)) for shape in shapes]
    return LabelMaps(
        dataset.images.ids, labels, [values.astype(np.uint8) for values in confidences]
    )


def noisy_objects(rows, classes, rng, number):
    """Each object, most of them a second time with a low score, now and then of another class."""
    rows = Annotations.concatenate([rows, rows[rng.random(len(rows)) < 0.7]])
    order = np.argsort(rows.image_ids, kind="stable")
    rows = rows[order]
    # The copy has the row number of its object or more; it is noisier.
    noise = rng.normal(0, 6 / (1 + number), (len(rows), 4)).astype(np.float32)
    boxes = rows.boxes_xyxy + noise
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2)
    boxes = np.clip(boxes, 0, max(95, rows.boxes_xyxy.max())).astype(np.float32)
    wrong = rng.random(len(rows)) < 0.15
    categories = np.where(wrong, rng.integers(1, classes + 1, len(rows)), rows.category_ids)
    scores = np.clip(rng.beta(3, 2, len(rows)) - 0.2 * wrong, 0.01, 1)
    found = Annotations.predicted(
        rows.image_ids, categories.astype(np.int32), boxes, scores.astype(np.float32), number
    )
    return replace(found, masks=rows.masks, areas=rows.areas, stabilities=np.ones(len(rows), "f4"))


def score(folder, params):
    """Score noisy predictions, and return the row of the history."""
    number = folder.number
    row = {"round": number, "headline": list(TASKS[params.task].headline), "iterations": 100}
    row |= {"weights_mb": 1.0, "data": {"gold": {"images": 6, "annotations": 20}}}
    row |= {"transductive": False, "champion": number, "silver_agreement": None}
    step = {"round": number - 1, "gain": 0.1, "interval": [0.05, 0.2]}
    row["over_champion"] = step if number else None
    for split in ("val", "test"):
        folder_of_split = SplitFolder(PREPARED / split)
        truth: Dataset = folder_of_split.read()
        section = SimpleNamespace(max_boxes=100, measure="mAP")
        scorer = SCORERS[params.task](
            truth, folder_of_split.path, SimpleNamespace(evaluate=section)
        )
        scorer.add(noisy(truth, TASKS[params.task].kind, number + 1))
        outcome_path(folder.evaluation, number, split).parent.mkdir(parents=True, exist_ok=True)
        scorer.write(outcome_path(folder.evaluation, number, split))
        overall, by_class = scorer.result()
        row[split] = overall | {"by_class": by_class}
    return row
