"""The search for the inference thresholds of objects, on predictions that are made only once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from pseudolabel.core.boxes import grouped_nms
from pseudolabel.core.datasets import TUNING
from pseudolabel.core.errors import ParamsError
from pseudolabel.core.files import read_json, write_json
from pseudolabel.core.held_out import refuse_seen
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.core.workdir import hash_inputs
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.objects import BoxScorer
from pseudolabel.evaluation.score import score_images
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import CONFIG, WEIGHTS, images_seen
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.by_task import ObjectParams
from pseudolabel.params.common import Params
from pseudolabel.params.tune import Range
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.search.study import BEST, Options, require_labels, search
from pseudolabel.silver.matching import match_objects, precision_recall_f1

_SCORE, _NMS = "evaluate.score_floor", "evaluate.nms_iou"
_F1 = "f1"


def tune_inference(prepared: Path, champion: Path, output: Path, params: Params) -> None:
    """Search for the score and _NMS thresholds with the best score of the champion on tuning.

    The champion predicts once, with the lowest score threshold and the highest _NMS threshold. Each
    trial filters these predictions, so it takes seconds. best.json also has the scores of new
    predictions with the best thresholds, on tuning and on val, and the score on val with the
    current thresholds.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder.
        output: the folder of the study.
        params: all parameters; `data`, `evaluate` and `tune` are used.

    Raises:
        ParamsError: the labels of the task are not objects.
        DataError: tuning has no labels, an image is damaged, or the champion was trained on it.
    """
    if not isinstance(params, ObjectParams):
        raise ParamsError(f"task: expected detection or instance, found {params.task}")
    section = params.tune
    truth = SplitFolder(prepared / TUNING).read()
    require_labels(truth)
    loosest = {"score_floor": section.score[0], "nms_iou": section.nms_iou[1]}
    predicted = _predict_split(champion, prepared, TUNING, _with_evaluate(params, loosest))

    def measure(options: Options) -> float:
        kept = _filter_predictions(predicted, options[_SCORE], options[_NMS])
        return _measure_objects(kept, truth, params)

    used = section.model_dump(include={"score", "nms_iou", "inference_measure"})
    inputs = [params.seed, params.evaluate.model_dump(mode="json", exclude={"select"}), used]
    files = [champion / CONFIG, champion / WEIGHTS, prepared / TUNING]
    ranges = [
        Range(name=name, low=low, high=high)
        for name, (low, high) in ((_SCORE, section.score), (_NMS, section.nms_iou))
    ]
    trials, key = section.inference_trials, hash_inputs(inputs, files)
    best = search(output, key, ranges, trials, params.seed, measure)
    tuned = _with_evaluate(params, {"score_floor": best[_SCORE], "nms_iou": best[_NMS]})
    scores: dict[str, Any] = {"measure": section.inference_measure}
    for name, split, used_params in (
        ("tuning", TUNING, tuned),
        ("val", "val", tuned),
        ("val_before", "val", params),
    ):
        labels = SplitFolder(prepared / split).read()
        rows = _predict_split(champion, prepared, split, used_params)
        scores[name] = round(_measure_objects(rows, labels, params), 6)
    write_json(output / BEST, read_json(output / BEST) | scores)


def _with_evaluate(params: ObjectParams, values: dict[str, Any]) -> ObjectParams:
    """Return the parameters with some values of the section `evaluate` replaced."""
    return params.model_copy(update={"evaluate": params.evaluate.model_copy(update=values)})


def _predict_split(champion: Path, prepared: Path, split: str, params: ObjectParams) -> Annotations:
    """Return a model's predictions for a split.

    Raises:
        DataError: an image is damaged, or the model was trained on it.
    """
    truth = SplitFolder(prepared / split).read()
    refuse_seen(images_seen(champion), {split: truth.images}, str(champion))
    model = TrainedModels(
        [champion], params.data.root / IMAGES, params.evaluate, params.data.workers
    )
    scorer = _object_scorer(truth, params)
    score_images(model, truth.images, scorer)
    return scorer.predictions


def _object_scorer(truth: Dataset, params: ObjectParams) -> BoxScorer:
    """Return the scorer of the task: a BoxScorer, or a MaskScorer, which is a subclass."""
    return cast(BoxScorer, SCORERS[params.task](truth, Path(), params))


def _filter_predictions(predicted: Annotations, score: float, nms_iou: float) -> Annotations:
    """Return the predictions that pass a score threshold and _NMS within each class."""
    rows = predicted[predicted.scores >= score]
    image_classes = np.stack([rows.image_ids, rows.category_ids])
    _, groups = np.unique(image_classes, axis=1, return_inverse=True)
    return rows[grouped_nms(rows.boxes_xyxy, rows.scores, groups.reshape(-1), nms_iou)]


def _measure_objects(predicted: Annotations, truth: Dataset, params: ObjectParams) -> float:
    """Return the metric `tune.inference_measure`: a COCO metric, or _F1 at an IoU of 0.5."""
    name = params.tune.inference_measure
    if name == _F1:
        labels = match_objects(predicted, truth)
        sums = (labels.hits.sum(), labels.amounts.sum(), labels.totals.sum())
        _, _, f1 = precision_recall_f1(*(np.array([value], np.float64) for value in sums))
        return float(f1[0])
    scorer = _object_scorer(truth, params)
    scorer.add(predicted)
    return scorer.result()[0][name] or 0.0
