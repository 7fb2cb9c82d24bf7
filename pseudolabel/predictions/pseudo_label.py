"""Labelling the pool: predictions stream to shards, and a kill loses at most one shard."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pseudolabel.core.datasets import PARTIAL, TUNING
from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import write_json
from pseudolabel.core.locks import LOCK
from pseudolabel.core.per_round import list_in_round
from pseudolabel.core.records import Images
from pseudolabel.core.tasks import TASKS
from pseudolabel.core.workdir import publish_result, scratch_folder
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.shards import (
    TEACHER_FILE,
    WITHOUT_TUNING,
    read_unreadable,
    shard_paths,
)
from pseudolabel.formats.split_folder import COCO_FILE, SplitFolder
from pseudolabel.formats.teacher_files import KnownPredictions
from pseudolabel.params.common import Params
from pseudolabel.predictions.batches import Predictor
from pseudolabel.predictions.file_predictor import FilePredictor
from pseudolabel.predictions.kept_predictions import (
    KeptPredictions,
    keep_predictions,
    key_of_predictions,
    label_new_images,
)
from pseudolabel.predictions.label_shards import label_missing_shards
from pseudolabel.predictions.predictor import TrainedModels
from pseudolabel.predictions.teachers import Teachers, teachers_of_round


def label_pool(
    prepared: Path, champion: Path, output: Path, round_number: int, params: Params
) -> None:
    """Label the pool with the teachers that params name; write shards and teacher.json.

    The images of tuning and the partly labelled ones of gold are labelled too, into folders of
    their own: thresholds are chosen on tuning, and silver may add objects to the others.
    Every prediction above the score floor is written. After a kill, missing shards are labelled.
    Images that the same teachers have labelled in an earlier run are not labelled again.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder of the previous round's champion.
        output: the folder to write.
        round_number: the round to write beside each prediction.
        params: all parameters; `data` and `pseudo_label` are used.

    Raises:
        ModelError: a teacher is missing, or teachers differ in task or classes.
        DataError: a teacher was trained on val, tuning or test, or a file has faults.
    """
    section = params.pseudo_label
    named = list_in_round(section.teachers, round_number)
    teachers = teachers_of_round(named, champion, prepared)
    pool, tuning, partial = (
        SplitFolder(prepared / name).read().images for name in ("pool", TUNING, PARTIAL)
    )
    files = teachers.read_files(prepared, params.task, round_number)
    label_tuning = _check_files(teachers, files, pool, tuning)
    values = section.model_copy(update={"teachers": named}).model_dump(mode="json")
    inputs = _splits_used(prepared, files) + teachers.inputs
    scratch = scratch_folder("pseudo_label", [round_number, values], inputs)

    # Predictions in files are found by name, not by content.
    key = None if files else key_of_predictions([round_number, values], teachers.inputs)

    @cache
    def load_teachers() -> Predictor:
        return _predictor(teachers, files, prepared, params, round_number)

    def label_shards(images: Images, folder: Path) -> None:
        label_missing_shards(images, load_teachers, folder, section.shard_images)

    def label() -> list[str]:
        size, kept = section.shard_images, key and KeptPredictions.find(round_number, key)
        label_new_images(TASKS[params.task].kind, pool, kept or None, scratch, size, label_shards)
        (scratch / TUNING).mkdir(exist_ok=True)
        if label_tuning:
            label_shards(tuning, scratch / TUNING)
        label_shards(partial, scratch / PARTIAL)
        record = _describe(scratch, teachers, files, label_tuning)
        record |= {"round": round_number, "images": len(pool)}
        write_json(scratch / TEACHER_FILE, record | {"shard_images": size})
        names = sorted(path.name for path in scratch.iterdir())
        return [name for name in names if name != LOCK and name[0] != "."]

    publish_result(scratch, output, label)
    if key is not None:
        keep_predictions(round_number, key, pool, output, section.shard_images)


def _splits_used(prepared: Path, files: Sequence[KnownPredictions]) -> list[Path]:
    """Return the COCO files that labels depend on: names in files are looked up in all splits."""
    names = ["*"] if files else ["pool", TUNING, PARTIAL]
    return [path for name in names for path in sorted(prepared.glob(f"{name}/{COCO_FILE}"))]


def _describe(
    shards: Path, teachers: Teachers, files: Sequence[KnownPredictions], label_tuning: bool
) -> dict[str, Any]:
    """Return the hashes of the teachers, and the names of unreadable files."""
    names = [name for path in shard_paths(shards) for name in read_unreadable(path)]
    record = teachers.describe(files) | {"unreadable": names}
    return record | ({} if label_tuning else {WITHOUT_TUNING: True})


def _check_files(
    teachers: Teachers, files: Sequence[KnownPredictions], pool: Images, tuning: Images
) -> bool:
    """Print what files have predictions for, and return whether all have those for tuning.

    Raises:
        DataError: a file is joined with other teachers, and lacks images of the pool.
    """
    for file in files:
        print(file.describe({"the pool": pool, TUNING: tuning}), flush=True)
        if len(teachers.folders) + len(files) > 1:
            file.require(pool, "the pool")
    return not any(file.lacking(tuning).any() for file in files)


def _predictor(
    teachers: Teachers,
    files: Sequence[KnownPredictions],
    prepared: Path,
    params: Params,
    round_number: int,
) -> Predictor:
    """Return the predictor of all teachers together.

    Raises:
        ModelError: the models differ in task or classes, or stability is to be measured with files.
    """
    section, root, workers = params.pseudo_label, params.data.root / IMAGES, params.data.workers
    if files and section.stability is not None:
        raise ModelError(
            f"pseudo_label.stability: expected null with a file as a teacher, found "
            f"{section.stability}"
        )
    if teachers.folders:
        compared = section.stability
        return TrainedModels(
            teachers.folders, root, section, workers, round_number, compared, files=files
        )
    categories = SplitFolder(prepared / "gold").read().categories
    return FilePredictor(files, params.task, categories, root, section, workers, round_number)
