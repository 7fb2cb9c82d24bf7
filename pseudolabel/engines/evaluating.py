"""Judging a round's model on val and test, and keeping the best model so far, the champion."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.engines.model_folder import RECORD, WEIGHTS
from pseudolabel.engines.predicting import Detector, predict_all
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.formats.coco import read_coco
from pseudolabel.history import HISTORY, SPEED, Row, best_round, gain
from pseudolabel.metrics import detection_metrics
from pseudolabel.params import Params

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
        prepared: the folder with val.json and test.json.
        before: what the round before left, None in round 0.
        output: the folder to write the evaluation to.
        champion: the folder to copy the best model to.
        params: all parameters; `data` and `evaluate` are used.
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
    """Return what is to be recorded of a model, and its speed in images a second."""
    section = params.evaluate
    root = params.data.root / "images"
    detector = Detector(
        model, root, section.batch_size, section.score_floor, workers=params.data.workers
    )
    row: Row = {"data": read_json(model / RECORD)["data"]}
    row["weights_mb"] = round((model / WEIGHTS).stat().st_size / 1e6, 3)
    images, seconds = 0, 0.0
    for split in SPLITS:
        truth = read_coco(prepared / f"{split}.json")
        if not len(truth.images):
            continue
        start = time.perf_counter()
        predictions = predict_all(detector, truth.images)
        seconds += time.perf_counter() - start
        images += len(truth.images)
        overall, by_class = detection_metrics(truth, predictions, section.max_boxes)
        row[split] = overall | {"by_class": by_class}
    return row, round(images / seconds, 1)
