"""Score a round's model on val and test, and keep the best model so far: the champion."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import read_json, write_json, written_aside
from pseudolabel.core.held_out import refuse_seen
from pseudolabel.core.records import Images
from pseudolabel.core.tasks import TASKS
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.bootstrap import gain_interval
from pseudolabel.evaluation.history import (
    HISTORY,
    MAPS_SUFFIX,
    OUTCOMES,
    REPORTED_SPLITS,
    SELECTION,
    SPEED,
    Row,
    best_round,
    gain,
    main_score,
    outcome_path,
)
from pseudolabel.evaluation.scorer import Scorer
from pseudolabel.evaluation.selection import Selection, select_weights
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import WEIGHTS, copy_model, images_seen, weights_record
from pseudolabel.formats.silver_folder import AGREEMENT, REPORT
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.predictions.predictor import Predictor, TrainedModels


@dataclass(frozen=True)
class PreviousRound:
    """The folders that the evaluation of a round needs from earlier stages.

    Attributes:
        evaluation: the evaluation of the round before.
        champion: the best model of all rounds before.
        silver: the silver that this round's student was trained on.
    """

    evaluation: Path
    champion: Path
    silver: Path


@dataclass(frozen=True)
class ModelScores:
    """The scores of a model.

    Attributes:
        row: the row for the history.
        speed: images per second.
        scorers: the scorer of each split, with the model's predictions.
    """

    row: Row
    speed: float
    scorers: dict[str, Scorer]


def evaluate(
    model: Path,
    prepared: Path,
    previous: PreviousRound | None,
    output: Path,
    champion: Path,
    params: Params,
) -> None:
    """Write a round's evaluation, and copy the best model so far (on val) to `champion`.

    The evaluation has history.json (all rounds up to this one), the predictions of each round's
    model, and speed.json. The speed in images per second has its own file because it differs from
    run to run. With `evaluate.select: best`, the model has the weights that are best on tuning.

    Args:
        model: the round's model folder.
        prepared: the folder of prepared data, with val, tuning and test.
        previous: the folders of the round before, None in round 0.
        output: the folder to write the evaluation to.
        champion: the folder to copy the best model to.
        params: all parameters; `data`, `evaluate` and `prepare.transductive` are used.

    Raises:
        DataError: an image cannot be decoded, or the model was trained on val, tuning or test.
        ModelError: weights to choose from have no record of their training.
    """
    history = read_json(previous.evaluation / HISTORY) if previous else []
    selection = _select_weights(model, prepared, params)
    scores = score_model(model, prepared, params, weights=selection.weights)
    row = scores.row | ({SELECTION: selection.row} if selection.row else {})
    row["round"] = len(history)
    row["over_champion"] = row["silver_agreement"] = None
    if previous:
        row["over_champion"] = _gain_over_champion(
            scores, history, previous.evaluation, prepared, params
        )
        agreement = read_json(previous.silver / REPORT).get(AGREEMENT)
        row["silver_agreement"] = agreement and agreement["share"]
    history.append(row)
    row["champion"] = best_round(history)
    with written_aside(output) as aside:
        _write_history(aside, history, scores, previous)
    with written_aside(champion) as aside:
        if previous and row["champion"] != row["round"]:
            shutil.copytree(previous.champion, aside)
        else:
            copy_model(model, selection.weights, aside)


def _select_weights(model: Path, prepared: Path, params: Params) -> Selection:
    """Return the weights of a training that `evaluate.select` names."""
    if params.evaluate.select == "last":
        return Selection(WEIGHTS, None)
    split = TUNING if len(SplitFolder(prepared / TUNING).read().images) else "val"
    if split != TUNING:
        message = "tuning has no images: weights are chosen on val, so scores on val are too good"
        print(f"{message} (prepare.tuning_share)", file=sys.stderr)

    def score(weights: str) -> float | None:
        scores = score_model(model, prepared, params, (split,), weights)
        return main_score(scores.row, split)

    return select_weights(model, split, score)


def _write_history(
    folder: Path, history: list[Row], scores: ModelScores, previous: PreviousRound | None
) -> None:
    """Write the history, the speeds and the outcomes of all rounds into an evaluation."""
    (folder / OUTCOMES).mkdir(parents=True)
    write_json(folder / HISTORY, history)
    speeds = read_json(previous.evaluation / SPEED) if previous else []
    write_json(folder / SPEED, [*speeds, scores.speed])
    if previous:
        shutil.copytree(
            previous.evaluation / OUTCOMES,
            folder / OUTCOMES,
            ignore=shutil.ignore_patterns(f"*{MAPS_SUFFIX}"),
            dirs_exist_ok=True,
        )
    for split, scorer in scores.scorers.items():
        scorer.write(outcome_path(folder, len(history) - 1, split))


def score_model(
    model: Path,
    prepared: Path,
    params: Params,
    splits: Sequence[str] = REPORTED_SPLITS,
    weights: str = WEIGHTS,
) -> ModelScores:
    """Return a model's scores on some splits, with its row for the history.

    Args:
        model: the model folder.
        prepared: the folder of prepared data.
        params: all parameters.
        splits: the splits to score on; splits without images are left out.
        weights: the name of the file of weights in the model folder.

    Raises:
        DataError: an image cannot be decoded, or the model was trained on one of the splits.
    """
    print(f"scoring {model / weights} on {' and '.join(splits)}", flush=True)
    images, workers = params.data.root / IMAGES, params.data.workers
    trained = TrainedModels([model], images, params.evaluate, workers, weights=weights)
    record = weights_record(model / weights)
    row: Row = {"data": record.data if record else {}}
    row["iterations"] = record.iterations if record else 0
    row["unknown_origin"] = record.unknown_origin if record else True
    row["transductive"] = params.prepare.transductive
    row["weights_mb"] = round((model / weights).stat().st_size / 1e6, 3)
    seen = images_seen(model)
    count, seconds = 0, 0.0
    scorers: dict[str, Scorer] = {}
    for split in splits:
        truth = SplitFolder(prepared / split).read()
        if not len(truth.images):
            continue
        if not (split == "test" and params.prepare.transductive):
            refuse_seen(seen, {split: truth.images}, str(model))
        scorer = SCORERS[params.task](truth, prepared / split, params)
        seconds += score_images(trained, truth.images, scorer)
        count += len(truth.images)
        overall, by_class = scorer.result()
        row[split] = overall | {"by_class": by_class}
        scorers[split] = scorer
    main = [scorer.main for scorer in scorers.values()][:1]
    row["headline"] = [*main, *(name for name in TASKS[params.task].headline if name not in main)]
    return ModelScores(row, round(count / seconds, 1) if count else 0.0, scorers)


def score_images(predictor: Predictor, images: Images, scorer: Scorer) -> float:
    """Add the predictions for some images to a scorer, and return the seconds of prediction.

    Raises:
        DataError: an image cannot be decoded; scores without it would not be comparable.
    """
    seconds, start = 0.0, time.perf_counter()
    progress = tqdm(total=len(images), desc="evaluate", unit="img", mininterval=2)
    faults: list[Fault] = []
    for batch in predictor.predict(images):
        seconds += time.perf_counter() - start
        for row in batch.unreadable:
            name = str(images.file_names[row])
            faults.append(Fault(name, "", "an image that can be decoded", "a damaged file"))
        if batch.predictions is not None:
            scorer.add(batch.predictions)
        progress.update(batch.images)
        start = time.perf_counter()
    progress.close()
    if faults:
        raise DataError(faults)
    return seconds


def _gain_over_champion(
    scores: ModelScores, history: list[Row], evaluation: Path, prepared: Path, params: Params
) -> Row:
    """Return a model's gain over the champion on val, with its 95% interval."""
    champion = history[-1]["champion"]
    row: Row = {"round": champion, "gain": gain(scores.row, history[champion], "val")}
    if "val" not in scores.scorers:
        return row | {"interval": None}
    val = SplitFolder(prepared / "val")
    truth = val.read()
    scorer = SCORERS[params.task](truth, val.path, params)
    scorer.read(outcome_path(evaluation, champion, "val"))
    interval = gain_interval(scores.scorers["val"], scorer, len(truth.images), params.seed)
    return row | {"interval": interval}
