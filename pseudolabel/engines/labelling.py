"""Labelling the pool: predictions stream to Parquet shards, and a kill loses at most one shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from pseudolabel.datasets import MEASURED_ON, TUNING
from pseudolabel.engines.predicting import Predictor, Stability, TrainedModel
from pseudolabel.errors import ModelError
from pseudolabel.files import (
    LOCK,
    hash_bytes,
    hash_file,
    move_finished,
    scratch_folder,
    sole_worker,
    write_json,
)
from pseudolabel.folds import MODELS, read_folds
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.leaks import refuse_seen
from pseudolabel.model_folder import CONFIG, WEIGHTS, images_seen
from pseudolabel.params.sections import Params
from pseudolabel.records import Images


def label_pool(
    prepared: Path, champion: Path, output: Path, round_number: int, params: Params
) -> None:
    """Let the champion, or whoever params name, label the pool; write shards and teacher.json.

    The images of tuning, which thresholds are chosen on, are labelled into a folder of their own.
    Whatever scores above the floor is written. When called again after a kill, labelling goes on at
    the first shard that is missing.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder of the champion of the round before.
        output: the folder to write.
        round_number: the round that is to be written beside each row.
        params: all parameters; `data` and `pseudo_label` are used.

    Raises:
        ModelError: a teacher is missing, or does not fit the others.
        DataError: one was trained on val, tuning or test.
    """
    section = params.pseudo_label
    splits = [prepared / split / FILE for split in ("pool", TUNING)]
    images, tuning = (read_coco(file).images for file in splits)
    teachers = teachers_of(section.teachers, champion, prepared, "pseudo_label.teachers")
    inputs = [round_number, section.model_dump(mode="json")]
    files = [path for folder in teachers for path in sorted(folder.glob("*.pth"))]
    files += [folder / CONFIG for folder in teachers]
    scratch = scratch_folder("pseudo_label", inputs, [*splits, *files])

    @cache
    def load_teachers() -> TrainedModel:
        root = params.data.root / IMAGES
        workers, stability = params.data.workers, section.stability
        return TrainedModel(teachers, root, section, workers, round_number, stability)

    with sole_worker(scratch):
        label_missing_shards(images, load_teachers, scratch, section.shard_images)
        (scratch / TUNING).mkdir(exist_ok=True)
        label_missing_shards(tuning, load_teachers, scratch / TUNING, section.shard_images)
        record = {"round": round_number, "images": len(images)}
        record |= {"shard_images": section.shard_images} | said_of(teachers, scratch)
        write_json(scratch / tables.TEACHER, record)
        whole = [path.name for path in scratch.iterdir() if path.name != LOCK]
        move_finished(scratch, output, sorted(name for name in whole if name[0] != "."))


def said_of(teachers: list[Path], shards: Path) -> dict[str, Any]:
    """Return the hashes of the weights that labelled, and what could not be read."""
    weights = [hash_file(folder / WEIGHTS) for folder in teachers]
    paths = tables.shard_paths(shards)
    return {
        "weights": weights[0] if len(weights) == 1 else hash_bytes("".join(weights).encode()),
        "weights_of_each": weights,
        "unreadable": [name for path in paths for name in tables.read_unreadable(path)],
    }


def teachers_of(
    wanted: Literal["champion", "folds"] | list[Path],
    champion: Path,
    prepared: Path,
    parameter: str,
    measured_on: Sequence[str] = MEASURED_ON,
) -> list[Path]:
    """Return the model folders of those that are to label, as a parameter names them.

    Raises:
        ModelError: one is missing, or a fold is of another model.
        DataError: one was trained on a split to be measured on, which its silver would tell.
    """
    if wanted == "champion":
        return [champion]
    folders = fold_teachers(MODELS) if wanted == "folds" else list(wanted)
    measured = {split: read_coco(prepared / split / FILE).images for split in measured_on}
    for folder in folders:
        if not (folder / CONFIG).is_file():
            expected = "a model folder, as rounds/<k>/champion"
            raise ModelError(f"{parameter}: {folder}: expected {expected}, found none")
        refuse_seen(images_seen(folder), measured, str(folder))
    return folders


def fold_teachers(models: Path) -> list[Path]:
    """Return the model folders of all folds.

    Raises:
        ModelError: a fold is missing or is of another model.
    """
    folders = [fold.champion for fold in read_folds(models)]
    for folder in folders:
        if hash_file(folder / CONFIG) != hash_file(folders[0] / CONFIG):
            raise ModelError(f"{folder / CONFIG}: expected the model of fold 0, found another")
    return folders


def label_missing_shards(
    images: Images,
    load_predictor: Callable[[], Predictor],
    folder: Path,
    shard_images: int,
    stage: str = "pseudo_label",
) -> None:
    """Label the images from the first missing shard on; each shard appears when it is whole."""
    done = 0
    while tables.shard_path(folder, done).exists():
        done += 1
    first = done * shard_images
    if first >= len(images):
        return
    bar = tqdm(total=len(images), initial=first, desc=stage, unit="img", mininterval=2)
    predictor = load_predictor()
    writer = predictor.shard_writer(folder)
    unreadable: list[str] = []
    stable: list[Stability] = []
    labelled = first
    with bar:
        for batch in predictor.predict(images, first):
            if batch.found is not None:
                writer.add(batch.found)
            stable += [batch.stability] if batch.stability is not None else []
            unreadable += [str(images.file_names[row]) for row in batch.unreadable]
            labelled += batch.images
            bar.update(batch.images)
            if labelled % shard_images == 0 or labelled == len(images):
                path = tables.shard_path(folder, (labelled - 1) // shard_images)
                # First, as the shard says that all is there.
                write_stabilities(path, stable)
                writer.close(path, unreadable)
                unreadable, stable = [], []


def write_stabilities(shard: Path, parts: list[Stability]) -> None:
    """Write how stable the predictions of a shard are, where that was measured."""
    if parts:
        ids, values = zip(*((it.image_ids, it.values) for it in parts), strict=True)
        tables.write_stabilities(shard, np.concatenate(ids), np.concatenate(values))
