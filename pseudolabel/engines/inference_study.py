"""The search for the thresholds that objects are given out at: seconds, on kept predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from pseudolabel.boxes import grouped_nms
from pseudolabel.datasets import TUNING
from pseudolabel.engines.evaluating import predict_all
from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.errors import ParamsError
from pseudolabel.files import key_of, read_json, write_json
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.leaks import refuse_seen
from pseudolabel.metrics.objects import BoxScorer
from pseudolabel.model_folder import CONFIG, WEIGHTS, images_seen
from pseudolabel.params.detection import ObjectParams
from pseudolabel.params.sections import Params
from pseudolabel.params.tune import Range
from pseudolabel.quality import object_trials, quality
from pseudolabel.records import Annotations, Dataset
from pseudolabel.studies import BEST, Options, refuse_nothing_to_measure, search
from pseudolabel.tasks import TASKS

SCORE, NMS = "evaluate.score_floor", "evaluate.nms_iou"
F1 = "f1"


def tune_inference(prepared: Path, champion: Path, output: Path, params: Params) -> None:
    """Search for the score and NMS thresholds at which the champion's objects are best on tuning.

    The champion looks at the images once, at the lowest score and the widest NMS; trials cut these
    predictions. best.json tells, beside what was found, what the model itself gives at it, on
    tuning and on val, and what it gave on val before.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder.
        output: the folder of the study.
        params: all parameters; `data`, `evaluate` and `tune` are used.

    Raises:
        ParamsError: the task has no objects.
        DataError: tuning has no labels, an image is damaged, or the champion was trained on it.
    """
    if not isinstance(params, ObjectParams):
        raise ParamsError(f"task: expected one with objects to cut, found {params.task}")
    section, before = params.tune, params.evaluate
    truth = read_coco(prepared / TUNING / FILE)
    refuse_nothing_to_measure(truth)
    widest = {"score_floor": section.score[0], "nms_iou": section.nms_iou[1]}
    found = predicted(champion, prepared, TUNING, with_evaluate(params, widest))

    def measure(options: Options) -> float:
        return value_of(cut(found, options[SCORE], options[NMS]), truth, params)

    own = {"score", "nms_iou", "inference_measure"}
    inputs = [params.seed, before.model_dump(mode="json"), section.model_dump(include=own)]
    files = [champion / CONFIG, champion / WEIGHTS, prepared / TUNING]
    ranges = [
        Range(name=name, low=low, high=high)
        for name, (low, high) in ((SCORE, section.score), (NMS, section.nms_iou))
    ]
    trials, key = section.inference_trials, key_of(inputs, files)
    best = search(output, key, ranges, trials, params.seed, measure)
    tuned = with_evaluate(params, {"score_floor": best[SCORE], "nms_iou": best[NMS]})
    said: dict[str, Any] = {"measure": section.inference_measure}
    for name, split, at in (
        ("tuning", TUNING, tuned),
        ("val", "val", tuned),
        ("val_before", "val", params),
    ):
        labels = read_coco(prepared / split / FILE)
        rows = predicted(champion, prepared, split, at)
        said[name] = round(value_of(rows, labels, params), 6)
    write_json(output / BEST, read_json(output / BEST) | said)


def with_evaluate(params: ObjectParams, values: dict[str, Any]) -> ObjectParams:
    """Return the parameters with some of `evaluate` changed."""
    return params.model_copy(update={"evaluate": params.evaluate.model_copy(update=values)})


def predicted(champion: Path, prepared: Path, split: str, params: ObjectParams) -> Annotations:
    """Return what a model says of a split's images.

    Raises:
        DataError: an image is damaged, or the model was trained on it.
    """
    truth = read_coco(prepared / split / FILE)
    refuse_seen(images_seen(champion), {split: truth.images}, str(champion))
    model = TrainedModel(
        [champion], params.data.root / IMAGES, params.evaluate, params.data.workers
    )
    scorer = scorer_of(truth, params)
    predict_all(model, truth.images, scorer)
    return Annotations.concatenate(scorer.found)


def scorer_of(truth: Dataset, params: ObjectParams) -> BoxScorer:
    """Return what measures the objects of the task: those of both such tasks are of this kind."""
    return cast(BoxScorer, TASKS[params.task].scorer(truth, Path(), params))


def cut(found: Annotations, score: float, nms_iou: float) -> Annotations:
    """Return the objects that a score and an NMS of each class by itself leave."""
    found = found[found.scores >= score]
    _, groups = np.unique(
        np.stack([found.image_ids, found.category_ids]), axis=1, return_inverse=True
    )
    return found[grouped_nms(found.boxes_xyxy, found.scores, groups.reshape(-1), nms_iou)]


def value_of(found: Annotations, truth: Dataset, params: ObjectParams) -> float:
    """Return what `tune.inference_measure` names: COCO's metrics, or F1 at an IoU of 0.5."""
    name = params.tune.inference_measure
    if name == F1:
        trials = object_trials(found, truth)
        sums = (trials.hits.sum(), trials.amounts.sum(), trials.truths.sum())
        _, _, f1 = quality(*(np.array([it], np.float64) for it in sums))
        return float(f1[0])
    scorer = scorer_of(truth, params)
    scorer.add(found)
    return scorer.result()[0][name] or 0.0
