"""Judging a round's model on val and test, and keeping the best model so far, the champion."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pseudolabel.engines.predicting import Predictor, TrainedModel
from pseudolabel.errors import DataError, Fault
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.history import HISTORY, SPEED, Row, best_round, gain
from pseudolabel.leaks import refuse_seen
from pseudolabel.metrics.scorer import Scorer
from pseudolabel.model_folder import RECORD, WEIGHTS, images_seen
from pseudolabel.params.sections import Params
from pseudolabel.records import Images
from pseudolabel.tasks import TASKS

SPLITS = ("val", "test")


@dataclass(frozen=True)
class Before:
    """What the round before left: its evaluation and the champion so far."""

    evaluation: Path
    champion: Path


def evaluate(
    model: Path, prepared: Path, before: Before | None, output: Path, champion: Path, params: Params
) -> None:
    """Write a round's evaluation, and the best model so far, by val, into `champion`.

    The evaluation holds history.json (every round up to this one) and speed.json (images a second:
    apart, because it is the one number that differs from run to run).

    Args:
        model: the round's model folder.
        prepared: the folder of prepared data, with val and test.
        before: what the round before left, None in round 0.
        output: the folder to write the evaluation to.
        champion: the folder to copy the best model to.
        params: all parameters; `data`, `evaluate` and `prepare.transductive` are used.
    """
    history = read_json(before.evaluation / HISTORY) if before else []
    speeds = read_json(before.evaluation / SPEED) if before else []
    row, speed = judge(model, prepared, params)
    row["round"] = len(history)
    row["gain"] = {split: gain(row, history[-1], split) for split in SPLITS} if history else None
    history.append(row)
    row["champion"] = best_round(history)
    keeps_champion = before is not None and row["champion"] != row["round"]
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        write_json(aside / HISTORY, history)
        write_json(aside / SPEED, [*speeds, speed])
    with written_aside(champion) as aside:
        shutil.copytree(before.champion if before and keeps_champion else model, aside)


def judge(model: Path, prepared: Path, params: Params) -> tuple[Row, float]:
    """Return what is to be recorded of a model, and its speed in images a second.

    Raises:
        DataError: the model was trained on val or test.
    """
    task = TASKS[params.task]
    images, workers = params.data.root / IMAGES, params.data.workers
    trained = TrainedModel([model], images, params.evaluate, workers)
    row: Row = {"data": read_json(model / RECORD)["data"], "headline": task.headline}
    row["transductive"] = params.prepare.transductive
    row["weights_mb"] = round((model / WEIGHTS).stat().st_size / 1e6, 3)
    seen = images_seen(model)
    count, seconds = 0, 0.0
    for split in SPLITS:
        truth = read_coco(prepared / split / FILE)
        if not len(truth.images):
            continue
        if not (split == "test" and params.prepare.transductive):
            refuse_seen(seen, {split: truth.images}, str(model))
        scorer = task.scorer(truth, prepared / split, params)
        seconds += predict_all(trained, truth.images, scorer)
        count += len(truth.images)
        overall, by_class = scorer.result()
        row[split] = overall | {"by_class": by_class}
    return row, round(count / seconds, 1)


def predict_all(predictor: Predictor, images: Images, scorer: Scorer) -> float:
    """Let a scorer see all predictions for some images, and return the seconds that they took.

    Raises:
        DataError: an image cannot be decoded: a score without it would be of another set.
    """
    seconds, start = 0.0, time.perf_counter()
    progress = tqdm(total=len(images), desc="evaluate", unit="img", mininterval=2)
    faults: list[Fault] = []
    for batch in predictor.predict(images):
        seconds += time.perf_counter() - start
        for row in batch.unreadable:
            name = str(images.file_names[row])
            faults.append(Fault(name, "", "an image that can be decoded", "a damaged file"))
        if batch.found is not None:
            scorer.add(batch.found)
        progress.update(batch.images)
        start = time.perf_counter()
    progress.close()
    if faults:
        raise DataError(faults)
    return seconds
