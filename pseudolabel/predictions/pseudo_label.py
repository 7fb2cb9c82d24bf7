"""Labelling the pool: predictions stream to shards, and a kill loses at most one shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_bytes, hash_file, write_json
from pseudolabel.core.held_out import MEASURED_ON, refuse_seen
from pseudolabel.core.locks import LOCK
from pseudolabel.core.project import FOLD_MODELS
from pseudolabel.core.records import Images
from pseudolabel.core.workdir import publish_result, scratch_folder
from pseudolabel.formats.fold_folder import read_folds
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import CONFIG, WEIGHTS, images_seen
from pseudolabel.formats.shards import (
    TEACHER_FILE,
    read_unreadable,
    shard_path,
    shard_paths,
    write_stabilities,
)
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.predictions.predictor import Predictor, Stability, TrainedModels


def label_pool(
    prepared: Path, champion: Path, output: Path, round_number: int, params: Params
) -> None:
    """Label the pool with the teachers that params name; write shards and teacher.json.

    The images of tuning are labelled too, into a separate folder: thresholds are chosen on them.
    Every prediction above the score floor is written. After a kill, labelling resumes at the first
    missing shard.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder of the previous round's champion.
        output: the folder to write.
        round_number: the round to write beside each prediction.
        params: all parameters; `data` and `pseudo_label` are used.

    Raises:
        ModelError: a teacher is missing, or teachers differ in task or classes.
        DataError: a teacher was trained on val, tuning or test.
    """
    section = params.pseudo_label
    splits = [SplitFolder(prepared / split) for split in ("pool", TUNING)]
    images, tuning = (split.read().images for split in splits)
    teachers = teacher_folders(section.teachers, champion, prepared, "pseudo_label.teachers")
    inputs = [round_number, section.model_dump(mode="json")]
    files = [split.coco_file for split in splits]
    files += [path for folder in teachers for path in sorted(folder.glob("*.pth"))]
    files += [folder / CONFIG for folder in teachers]
    scratch = scratch_folder("pseudo_label", inputs, files)

    @cache
    def load_teachers() -> TrainedModels:
        root, workers = params.data.root / IMAGES, params.data.workers
        return TrainedModels(teachers, root, section, workers, round_number, section.stability)

    def label() -> list[str]:
        label_missing_shards(images, load_teachers, scratch, section.shard_images)
        (scratch / TUNING).mkdir(exist_ok=True)
        label_missing_shards(tuning, load_teachers, scratch / TUNING, section.shard_images)
        record = {"round": round_number, "images": len(images)}
        record |= {"shard_images": section.shard_images} | _describe_teachers(teachers, scratch)
        write_json(scratch / TEACHER_FILE, record)
        names = sorted(path.name for path in scratch.iterdir())
        return [name for name in names if name != LOCK and name[0] != "."]

    publish_result(scratch, output, label)


def teacher_folders(
    teachers: Literal["champion", "folds"] | list[Path],
    champion: Path,
    prepared: Path,
    parameter: str,
    measured_on: Sequence[str] = MEASURED_ON,
) -> list[Path]:
    """Return the model folders that a parameter names.

    Args:
        teachers: the value of the parameter.
        champion: the model folder of the champion.
        prepared: the folder of prepared data.
        parameter: the name of the parameter, for messages.
        measured_on: the splits that the models must not have been trained on.

    Raises:
        ModelError: a folder is missing, or a fold has another model.
        DataError: a model was trained on one of the splits.
    """
    if teachers == "champion":
        return [champion]
    folders = _fold_champions(FOLD_MODELS) if teachers == "folds" else list(teachers)
    measured = {split: SplitFolder(prepared / split).read().images for split in measured_on}
    for folder in folders:
        if not all((folder / name).is_file() for name in (CONFIG, WEIGHTS)):
            expected = "a model folder, such as rounds/<k>/champion"
            raise ModelError(f"{parameter}: {folder}: expected {expected}, found none")
        refuse_seen(images_seen(folder), measured, str(folder))
    return folders


def label_missing_shards(
    images: Images,
    load_predictor: Callable[[], Predictor],
    folder: Path,
    shard_images: int,
    stage: str = "pseudo_label",
) -> None:
    """Label images from the first missing shard on; a shard appears when it is complete.

    Args:
        images: all images, in order.
        load_predictor: loads the model; not called if no shard is missing.
        folder: the folder of shards.
        shard_images: number of images per shard.
        stage: the name that the progress bar shows.
    """
    done = 0
    while shard_path(folder, done).exists():
        done += 1
    first = done * shard_images
    if first >= len(images):
        return
    if first:
        print(f"{stage} resumes at image {first:,} of {len(images):,}", flush=True)
    progress = tqdm(total=len(images), initial=first, desc=stage, unit="img", mininterval=2)
    predictor = load_predictor()
    writer = predictor.shard_writer(folder)
    unreadable: list[str] = []
    stabilities: list[Stability] = []
    labelled = first
    with progress:
        for batch in predictor.predict(images, first):
            if batch.predictions is not None:
                writer.add(batch.predictions)
            stabilities += [batch.stability] if batch.stability is not None else []
            unreadable += [str(images.file_names[row]) for row in batch.unreadable]
            labelled += batch.images
            progress.update(batch.images)
            if labelled % shard_images == 0 or labelled == len(images):
                path = shard_path(folder, (labelled - 1) // shard_images)
                # Stabilities first, because a shard file marks the shard as complete.
                _write_shard_stabilities(path, stabilities)
                writer.close(path, unreadable)
                unreadable, stabilities = [], []


def _describe_teachers(teachers: list[Path], shards: Path) -> dict[str, Any]:
    """Return the hashes of the teachers' weights, and the names of unreadable files."""
    weights = [hash_file(folder / WEIGHTS) for folder in teachers]
    return {
        "weights": weights[0] if len(weights) == 1 else hash_bytes("".join(weights).encode()),
        "weights_of_each": weights,
        "unreadable": [name for path in shard_paths(shards) for name in read_unreadable(path)],
    }


def _fold_champions(models: Path) -> list[Path]:
    """Return the model folders of all folds; raise if the models differ."""
    folders = [fold.champion for fold in read_folds(models)]
    for folder in folders:
        if hash_file(folder / CONFIG) != hash_file(folders[0] / CONFIG):
            raise ModelError(f"{folder / CONFIG}: expected the model of fold 0, found another")
    return folders


def _write_shard_stabilities(shard: Path, parts: list[Stability]) -> None:
    if parts:
        ids = np.concatenate([part.image_ids for part in parts])
        write_stabilities(shard, ids, np.concatenate([part.values for part in parts]))
