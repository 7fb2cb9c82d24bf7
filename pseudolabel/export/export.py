"""Running final models on test, val or a folder, and writing the files to submit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pseudolabel.core.errors import DataError, Fault, ModelError
from pseudolabel.core.files import hash_file, remove, write_json
from pseudolabel.core.records import Images
from pseudolabel.core.workdir import publish_result, scratch_folder
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.history import display_name
from pseudolabel.export import FIELDS
from pseudolabel.export.mask_shapes import image_ranks, write_measures
from pseudolabel.export.onnx import ONNX, write_onnx
from pseudolabel.export.submission import ExportOptions, check_columns, write_submission
from pseudolabel.formats.image_files import IMAGES, list_images, read_image_facts
from pseudolabel.formats.model_folder import CONFIG, WEIGHTS
from pseudolabel.formats.prediction_store import read_predictions
from pseudolabel.formats.shards import Shard, list_shards, read_unreadable
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.params.export import Export, InstanceExport
from pseudolabel.predictions.label_shards import label_missing_shards
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.teachers import teacher_folders

_REPORT, _METRICS, _SPEED = "report.json", "metrics.json", "speed.json"
_SHARD_IMAGES = 2000
"""Approximate number of images per shard, which contains whole batches."""
_TIMED_IMAGES = 50
"""Largest number of images for measuring the speed."""


@dataclass(frozen=True)
class _ExportImages:
    """The images to predict for.

    Attributes:
        root: the image folder.
        images: the readable images.
        unreadable: names of files that are not images.
    """

    root: Path
    images: Images
    unreadable: list[str]


def export(prepared: Path, champion: Path, output: Path, params: Params) -> None:
    """Write predictions for test, val or a folder as COCO results and as CSV.

    The folder contains results.json, submission.csv, report.json (models, sizes, unreadable files)
    and speed.json. For a split it also contains metrics.json; on request, shape measures and the
    model as ONNX. After a kill, prediction resumes at the first missing shard.

    Args:
        prepared: the folder of prepared data, for val, test and the classes.
        champion: the model folder of the champion.
        output: the folder to write.
        params: all parameters; `data`, `evaluate` and `export` are used.

    Raises:
        ParamsError: a column names an unknown field.
        ModelError: a model is missing, models differ in task or classes, or the weights are too
            large.
        DataError: an image of the split cannot be decoded, a model was trained on it, the folder
            has no images, or the CSV of the order has faults.
    """
    section = params.export
    check_columns(section.columns, FIELDS[params.task])
    measured_on = (section.split,) if section.images is None else ()
    models = teacher_folders(section.models, champion, prepared, "export.models", measured_on)
    megabytes = _check_weights(models, section)
    source = _find_images(prepared, params)
    ranks = _measure_ranks(source.images, section)
    predictor = TrainedModels(models, source.root, params.evaluate, params.data.workers)
    size = max(1, _SHARD_IMAGES // params.evaluate.batch_size) * params.evaluate.batch_size
    scratch = _scratch_folder(prepared, models, source, size, params)

    def run() -> list[str]:
        label_missing_shards(source.images, lambda: predictor, scratch, size, "predict")
        shards = list_shards(scratch, source.images, size)
        unreadable = _check_unreadable(source, shards, section)
        results = scratch / "results"
        remove(results)
        results.mkdir()
        _write_predictions(shards, prepared, params, ranks, results)
        if section.onnx:
            write_onnx(_only_one(models), results / ONNX)
        report = {"images": len(source.images), "unreadable": unreadable}
        report |= {"weights_mb": megabytes}
        report |= {"weights": [hash_file(folder / WEIGHTS) for folder in models]}
        write_json(results / _REPORT, report)
        speed = {"images_per_second": _images_per_second(predictor, source.images)}
        write_json(results / _SPEED, speed)
        return [f"{results.name}/{path.name}" for path in sorted(results.iterdir())]

    publish_result(scratch, output, run)


def _scratch_folder(
    prepared: Path, models: Sequence[Path], source: _ExportImages, size: int, params: Params
) -> Path:
    """Return the scratch folder of an export, which depends on everything that changes it."""
    sections = params.model_dump(mode="json", include={"task", "evaluate", "export"})
    files = [folder / name for folder in models for name in (CONFIG, WEIGHTS)]
    files += [SplitFolder(prepared / name).coco_file for name in ("gold", params.export.split)]
    order = getattr(params.export, "order", None)
    files += [order] if order is not None else []
    inputs = [str(source.root), list(source.images.hashes), size, sections]
    return scratch_folder("export", inputs, files)


def _write_predictions(
    shards: Sequence[Shard],
    prepared: Path,
    params: Params,
    ranks: dict[str, Any] | None,
    output: Path,
) -> None:
    """Write the submission; also measures, if there are ranks, and metrics, for a split."""
    section = params.export
    categories = SplitFolder(prepared / "gold").read().categories
    options = ExportOptions(categories, section.columns, section.map_size)
    progress = tqdm(shards, desc="export", unit="shard", mininterval=2)
    write_submission(progress, FIELDS[params.task], options, output)
    if ranks is not None:
        progress = tqdm(shards, desc="measure", unit="shard", mininterval=2)
        write_measures(progress, options, ranks, output)
    if section.images is None:
        write_json(output / _METRICS, _metrics(shards, prepared, params))


def _measure_ranks(images: Images, section: Export) -> dict[str, Any] | None:
    """Return the order of images for shape measures; None if no measures are asked for."""
    if isinstance(section, InstanceExport) and section.measures:
        return image_ranks(images, section.order)
    return None


def _metrics(shards: Sequence[Shard], prepared: Path, params: Params) -> dict[str, Any]:
    """Return all metrics of predictions for a split, by the name of the split."""
    split = SplitFolder(prepared / params.export.split)
    scorer = SCORERS[params.task](split.read(), split.path, params)
    for shard in shards:
        for predictions in read_predictions(FIELDS[params.task].kind, shard):
            scorer.add(predictions)
    overall, by_class = scorer.result()
    name = display_name(params.export.split, transductive=params.prepare.transductive)
    return {name: overall | {"by_class": by_class}}


def _only_one(models: list[Path]) -> Path:
    if len(models) > 1:
        raise ModelError(f"export.onnx: expected one model, found {len(models)}")
    return models[0]


def _check_weights(models: list[Path], section: Export) -> float:
    """Return the size of all models' weights in MB, and raise if it is above the limit."""
    megabytes = round(sum((folder / WEIGHTS).stat().st_size for folder in models) / 1e6, 3)
    if section.max_weights_mb is not None and megabytes > section.max_weights_mb:
        raise ModelError(
            f"export.max_weights_mb: expected weights of at most {section.max_weights_mb:g} MB, "
            f"found {megabytes:g} MB in {', '.join(map(str, models))}"
        )
    return megabytes


def _find_images(prepared: Path, params: Params) -> _ExportImages:
    """Return the images of a split or of a folder."""
    folder = params.export.images
    if folder is None:
        images = SplitFolder(prepared / params.export.split).read().images
        source = _ExportImages(params.data.root / IMAGES, images, [])
    else:
        names = list_images(folder)
        facts = dict(zip(names, read_image_facts(folder, names, str(folder)), strict=True))
        readable = {name: fact for name, fact in facts.items() if not isinstance(fact, Fault)}
        images = Images.build(
            list(range(1, len(readable) + 1)),
            list(readable),
            [fact.width for fact in readable.values()],
            [fact.height for fact in readable.values()],
            [fact.digest for fact in readable.values()],
        )
        source = _ExportImages(folder, images, [name for name in names if name not in readable])
    if not len(source.images):
        where = f"{params.export.split}.json" if folder is None else str(folder)
        raise DataError([Fault(where, "", "images to export predictions of", "none")])
    return source


def _check_unreadable(source: _ExportImages, shards: Sequence[Shard], section: Export) -> list[str]:
    """Return the unreadable files of a folder; raise if a split has any."""
    names = source.unreadable + [name for shard in shards for name in read_unreadable(shard.path)]
    if names and section.images is None:
        expected = "an image that can be decoded"
        raise DataError([Fault(name, "", expected, "a damaged file") for name in names])
    return names


def _images_per_second(predictor: TrainedModels, images: Images) -> float:
    """Return the speed from file to prediction, measured after one batch of warm-up."""
    for _ in predictor.predict(images[: predictor.batch_size]):
        pass
    timed = images[:_TIMED_IMAGES]
    start = time.perf_counter()
    for _ in predictor.predict(timed):
        pass
    return round(len(timed) / (time.perf_counter() - start), 1)
