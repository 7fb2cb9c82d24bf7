"""Score a model on splits: predict their images, and compare with gold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.held_out import refuse_seen
from pseudolabel.core.records import Images
from pseudolabel.core.tasks import TASKS
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.history import REPORTED_SPLITS, TEACHER_FILES, Row
from pseudolabel.evaluation.scorer import Scorer
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import WEIGHTS, images_seen, weights_record
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import KnownPredictions, read_teacher_file
from pseudolabel.formats.teacher_files.file_model import file_of_model
from pseudolabel.params.common import Params
from pseudolabel.predictions.batches import Predictor
from pseudolabel.predictions.file_predictor import FilePredictor
from pseudolabel.predictions.predictor import TrainedModels


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
        DataError: an image cannot be decoded, or the model was trained on one of the splits, or is
            a file of predictions that lacks images.
    """
    print(f"scoring {model / weights} on {' and '.join(splits)}", flush=True)
    file = file_of_model(model)
    known = read_teacher_file(file, prepared, params.task, 0) if file is not None else None
    predictor = _predictor(model, known, prepared, params, weights)
    row = _describe_model(model, known, weights)
    row["transductive"] = params.prepare.transductive
    seen = images_seen(model)
    count, seconds = 0, 0.0
    scorers: dict[str, Scorer] = {}
    for split in splits:
        truth = SplitFolder(prepared / split).read()
        if not len(truth.images):
            continue
        if not (split == "test" and params.prepare.transductive):
            refuse_seen(seen, {split: truth.images}, str(model))
        if known is not None:
            known.require(truth.images, split)
        scorer = SCORERS[params.task](truth, prepared / split, params)
        seconds += score_images(predictor, truth.images, scorer)
        count += len(truth.images)
        overall, by_class = scorer.result()
        row[split] = overall | {"by_class": by_class}
        scorers[split] = scorer
    main = [scorer.main for scorer in scorers.values()][:1]
    row["headline"] = [*main, *(name for name in TASKS[params.task].headline if name not in main)]
    # Reading a file says nothing about the speed of the model that wrote it.
    measured = count and known is None
    return ModelScores(row, round(count / seconds, 1) if measured else 0.0, scorers)


def _predictor(
    model: Path, known: KnownPredictions | None, prepared: Path, params: Params, weights: str
) -> Predictor:
    """Return the predictor of a model folder, which has weights or a file of predictions."""
    root, workers = params.data.root / IMAGES, params.data.workers
    if known is None:
        return TrainedModels([model], root, params.evaluate, workers, weights=weights)
    categories = SplitFolder(prepared / "gold").read().categories
    return FilePredictor([known], params.task, categories, root, params.evaluate, workers)


def _describe_model(model: Path, known: KnownPredictions | None, weights: str) -> Row:
    """Return what is known of the training of a model, for the history."""
    record = weights_record(model / weights)
    return {
        "data": record.data if record else {},
        "iterations": record.iterations if record else 0,
        "unknown_origin": record.unknown_origin if record else True,
        "weights_mb": round((model / weights).stat().st_size / 1e6, 3) if known is None else 0.0,
        TEACHER_FILES: [Path(known.name).name] if known is not None else [],
    }


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
