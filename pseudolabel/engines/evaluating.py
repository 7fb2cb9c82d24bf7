"""Judging a round's model on val and test, and keeping the best model so far, the champion."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
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
from pseudolabel.metrics.interval import gain_interval
from pseudolabel.metrics.scorer import Scorer
from pseudolabel.model_folder import RECORD, WEIGHTS, images_seen, iterations_in_all
from pseudolabel.params.sections import Params
from pseudolabel.records import Images
from pseudolabel.silver_record import AGREEMENT, REPORT
from pseudolabel.tasks import TASKS

SPLITS = ("val", "test")


OUTCOMES = "outcomes"
"""Beside the history: what each round's model found, for comparing models image by image."""


@dataclass(frozen=True)
class Before:
    """What a round builds on: the round before (evaluation, champion so far), and its silver."""

    evaluation: Path
    champion: Path
    silver: Path


@dataclass(frozen=True)
class Judged:
    """A model's row for the history, its speed in images a second, its predictions by split."""

    row: Row
    speed: float
    scorers: dict[str, Scorer]


def evaluate(
    model: Path, prepared: Path, before: Before | None, output: Path, champion: Path, params: Params
) -> None:
    """Write a round's evaluation, and the best model so far, by val, into `champion`.

    The evaluation holds history.json (every round up to this one), what each round's model found,
    and speed.json (images a second: apart, because it is what differs from run to run).

    Args:
        model: the round's model folder.
        prepared: the folder of prepared data, with val and test.
        before: what the round builds on, None in round 0.
        output: the folder to write the evaluation to.
        champion: the folder to copy the best model to.
        params: all parameters; `data`, `evaluate` and `prepare.transductive` are used.
    """
    history = read_json(before.evaluation / HISTORY) if before else []
    speeds = read_json(before.evaluation / SPEED) if before else []
    judged = judge(model, prepared, params)
    row = judged.row
    row["round"] = len(history)
    row["over_champion"] = row["silver_agreement"] = None
    if before:
        row["over_champion"] = over_champion(judged, history, before.evaluation, prepared, params)
        agreement = read_json(before.silver / REPORT).get(AGREEMENT)
        row["silver_agreement"] = agreement and agreement["share"]
    history.append(row)
    row["champion"] = best_round(history)
    keeps_champion = before is not None and row["champion"] != row["round"]
    with written_aside(output) as aside:
        (aside / OUTCOMES).mkdir(parents=True)
        write_json(aside / HISTORY, history)
        write_json(aside / SPEED, [*speeds, judged.speed])
        if before:
            shutil.copytree(before.evaluation / OUTCOMES, aside / OUTCOMES, dirs_exist_ok=True)
        for split, scorer in judged.scorers.items():
            scorer.write(outcome_path(aside, row["round"], split))
    with written_aside(champion) as aside:
        shutil.copytree(before.champion if before and keeps_champion else model, aside)


def outcome_path(evaluation: Path, number: int, split: str) -> Path:
    """Return where an evaluation keeps what a round's model found on a split."""
    return evaluation / OUTCOMES / f"{number}_{split}"


def over_champion(
    judged: Judged, history: list[Row], evaluation: Path, prepared: Path, params: Params
) -> Row:
    """Return by how much a model beats the champion so far on val, and how sure that is."""
    champion = history[-1]["champion"]
    said: Row = {"round": champion, "gain": gain(judged.row, history[champion], "val")}
    if "val" not in judged.scorers:
        return said | {"interval": None}
    truth = read_coco(prepared / "val" / FILE)
    scorer = TASKS[params.task].scorer(truth, prepared / "val", params)
    scorer.read(outcome_path(evaluation, champion, "val"))
    interval = gain_interval(judged.scorers["val"], scorer, len(truth.images), params.seed)
    return said | {"interval": interval}


def judge(model: Path, prepared: Path, params: Params, splits: Sequence[str] = SPLITS) -> Judged:
    """Return what a model finds on val and test, and what is to be recorded of it.

    Raises:
        DataError: the model was trained on val or test.
    """
    task = TASKS[params.task]
    images, workers = params.data.root / IMAGES, params.data.workers
    trained = TrainedModel([model], images, params.evaluate, workers)
    row: Row = {"data": read_json(model / RECORD)["data"]}
    row["iterations"] = iterations_in_all(model)
    row["transductive"] = params.prepare.transductive
    row["weights_mb"] = round((model / WEIGHTS).stat().st_size / 1e6, 3)
    seen = images_seen(model)
    count, seconds = 0, 0.0
    scorers: dict[str, Scorer] = {}
    for split in splits:
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
        scorers[split] = scorer
    main = [it.main for it in scorers.values()][:1]
    row["headline"] = [*main, *(it for it in task.headline if it not in main)]
    return Judged(row, round(count / seconds, 1) if count else 0.0, scorers)


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
