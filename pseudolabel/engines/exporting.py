"""Running the final models over test, val or a folder, and writing what one hands in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pseudolabel.engines.labelling import label_missing_shards, teachers_of
from pseudolabel.engines.onnx_model import ONNX, write_onnx
from pseudolabel.engines.predicting import TrainedModel
from pseudolabel.errors import DataError, Fault, ModelError
from pseudolabel.exports.export import Wanted, refuse_unknown_fields, write_exports
from pseudolabel.exports.measures import ranks_of, write_measures
from pseudolabel.files import (
    hash_file,
    remove,
    scratch_folder,
    sole_worker,
    write_json,
    written_aside,
)
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES, images_below, look_at
from pseudolabel.history import shown_as
from pseudolabel.model_folder import CONFIG, WEIGHTS
from pseudolabel.params.export import Export, InstanceExport
from pseudolabel.params.sections import Params
from pseudolabel.records import Images
from pseudolabel.tasks import TASKS

SPEED = "speed.json"
REPORT = "report.json"
METRICS = "metrics.json"
SHARD_IMAGES = 2000
"""Images a shard, about: whole batches."""
TIMED = 50
"""Images, at the most, that speed is measured on."""


def export(prepared: Path, champion: Path, output: Path, params: Params) -> None:
    """Write what models say of test, val or a folder's images, as COCO's results and as CSV.

    The folder gets results.json, submission.csv, report.json (models, sizes, unreadable files),
    speed.json, for a split metrics.json (what these models score together), and on request measures
    and the model as ONNX. When called again after a kill, predicting goes on at the first shard
    that is missing.

    Args:
        prepared: the folder of prepared data, for val, test and the classes.
        champion: the model folder of the champion.
        output: the folder to write.
        params: all parameters; `data`, `evaluate` and `export` are used.

    Raises:
        ParamsError: a column is to hold what the task does not tell.
        ModelError: a model is missing, does not fit the others, or the weights are too large.
        DataError: an image of the split cannot be decoded, a model was trained on it, or the folder
            holds none.
    """
    section, task = params.export, TASKS[params.task]
    refuse_unknown_fields(section, task.export)
    judged = (section.split,) if section.images is None else ()
    models = teachers_of(section.models, champion, prepared, "export.models", judged)
    megabytes = weights_mb(models, section)
    root, images, unreadable = images_of(prepared, params)
    categories = read_coco(prepared / "gold" / FILE).categories
    ranks = None
    if isinstance(section, InstanceExport) and section.measures:
        ranks = ranks_of(images, section.order)
    size = max(1, SHARD_IMAGES // params.evaluate.batch_size) * params.evaluate.batch_size
    inputs = [str(root), params.evaluate.model_dump(mode="json"), size, list(images.hashes)]
    files = [folder / name for folder in models for name in (CONFIG, WEIGHTS)]
    scratch = scratch_folder("export", inputs, files)
    with sole_worker(scratch):
        predictor = TrainedModel(models, root, params.evaluate, params.data.workers)
        label_missing_shards(images, lambda: predictor, scratch, size, "predict")
        shards = tables.shard_paths(scratch)
        unreadable += [name for path in shards for name in tables.read_unreadable(path)]
        refuse_unreadable(unreadable, section)
        with written_aside(output) as aside:
            aside.mkdir(parents=True)
            write_exports(scratch, images, size, categories, task.export, section, aside)
            if ranks is not None:
                wanted = Wanted(categories, section.map_size)
                write_measures(scratch, images, size, wanted, ranks, aside)
            if section.images is None:
                parts = tables.shards_of(scratch, images, size)
                write_json(aside / METRICS, metrics_of(scratch, parts, prepared, params))
            if section.onnx:
                write_onnx(only_one(models), aside / ONNX)
            report = {"images": len(images), "unreadable": unreadable, "weights_mb": megabytes}
            report["weights"] = [hash_file(folder / WEIGHTS) for folder in models]
            write_json(aside / REPORT, report)
            write_json(aside / SPEED, {"images_per_second": speed(predictor, images)})
    remove(scratch)


def metrics_of(
    predictions: Path, shards: Sequence[tables.Shard], prepared: Path, params: Params
) -> dict[str, Any]:
    """Return what predictions for a split score, all metrics, by the split's name."""
    task, split = TASKS[params.task], params.export.split
    scorer = task.scorer(read_coco(prepared / split / FILE), prepared / split, params)
    for shard in shards:
        scorer.add(task.export.together(list(task.export.read(predictions, shard))))
    overall, by_class = scorer.result()
    name = shown_as({"transductive": params.prepare.transductive}, split)
    return {name: overall | {"by_class": by_class}}


def only_one(models: list[Path]) -> Path:
    """Return the one model that becomes ONNX.

    Raises:
        ModelError: there are several.
    """
    if len(models) > 1:
        raise ModelError(f"export.onnx: expected one model, found {len(models)}")
    return models[0]


def weights_mb(models: list[Path], section: Export) -> float:
    """Return the size of all models' weights, MB of a million bytes.

    Raises:
        ModelError: they are larger than export.max_weights_mb allows.
    """
    found = round(sum((folder / WEIGHTS).stat().st_size for folder in models) / 1e6, 3)
    if section.max_weights_mb is not None and found > section.max_weights_mb:
        raise ModelError(
            f"export.max_weights_mb: expected weights of at most {section.max_weights_mb:g} MB, "
            f"found {found:g} MB in {', '.join(map(str, models))}"
        )
    return found


def images_of(prepared: Path, params: Params) -> tuple[Path, Images, list[str]]:
    """Return the image folder, the images to predict for, and the files that are none.

    Raises:
        DataError: there is no image.
    """
    folder = params.export.images
    if folder is None:
        split = prepared / params.export.split
        root, images = params.data.root / IMAGES, read_coco(split / FILE).images
        unreadable: list[str] = []
    else:
        root, names = folder, images_below(folder)
        facts = list(look_at(folder, names, str(folder)))
        good = [
            (name, it) for name, it in zip(names, facts, strict=True) if not isinstance(it, Fault)
        ]
        unreadable = [name for name, it in zip(names, facts, strict=True) if isinstance(it, Fault)]
        images = Images.build(
            list(range(1, len(good) + 1)),
            [name for name, _ in good],
            [it.width for _, it in good],
            [it.height for _, it in good],
            [it.digest for _, it in good],
        )
    if not len(images):
        where = f"{params.export.split}.json" if folder is None else str(folder)
        raise DataError([Fault(where, "", "images to export predictions of", "none")])
    return root, images, unreadable


def refuse_unreadable(names: list[str], section: Export) -> None:
    """Raise where an image of test cannot be decoded; files of a folder are listed in the report.

    Raises:
        DataError: with a fault for each.
    """
    if names and section.images is None:
        expected = "an image that can be decoded"
        raise DataError([Fault(it, "", expected, "a damaged file") for it in names])


def speed(predictor: TrainedModel, images: Images) -> float:
    """Return the images a second from file to prediction, after a first batch to warm up."""
    for _ in predictor.predict(images[: predictor.batch_size]):
        pass
    timed = images[:TIMED]
    start = time.perf_counter()
    for _ in predictor.predict(timed):
        pass
    return round(len(timed) / (time.perf_counter() - start), 1)
