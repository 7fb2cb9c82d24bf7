"""Score a round's model on val and test, and keep the best model so far: the champion."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.files import read_json, write_json, written_aside
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.bootstrap import gain_interval
from pseudolabel.evaluation.history import (
    HISTORY,
    MAPS_SUFFIX,
    OUTCOMES,
    SELECTION,
    SPEED,
    TEACHER_FILES,
    Row,
    best_round,
    gain,
    main_score,
    outcome_path,
)
from pseudolabel.evaluation.score import ModelScores, score_model
from pseudolabel.evaluation.selection import Selection, select_weights
from pseudolabel.formats.model_folder import WEIGHTS, copy_model
from pseudolabel.formats.shards import TEACHER_FILE
from pseudolabel.formats.silver_folder import AGREEMENT, REPORT
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files.file_model import file_of_model
from pseudolabel.params.common import Params


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
        teacher = read_json(previous.silver / TEACHER_FILE)
        row[TEACHER_FILES] = [file["file"] for file in teacher.get("files", [])]
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
    if params.evaluate.select == "last" or file_of_model(model) is not None:
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
