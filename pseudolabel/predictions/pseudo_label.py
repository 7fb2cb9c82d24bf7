"""Labelling the pool: predictions stream to shards, and a kill loses at most one shard."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.files import write_json
from pseudolabel.core.locks import LOCK, exclusive_lock
from pseudolabel.core.workdir import publish_result, scratch_lock
from pseudolabel.formats.shards import TEACHER_FILE, WITHOUT_TUNING, read_unreadable, shard_paths
from pseudolabel.params.common import Params
from pseudolabel.predictions.kept_predictions import keep_predictions
from pseudolabel.predictions.label_shards import Part, remove_unfinished
from pseudolabel.predictions.labelling import NEW, Labelling
from pseudolabel.predictions.ray_workers import label_with_ray

_PARTS = ".parts"
"""In the scratch folder: the lock of each part that another process labels."""


def label_pool(
    prepared: Path, champion: Path, output: Path, round_number: int, params: Params
) -> None:
    """Label the pool with the teachers that params name; write shards and teacher.json.

    The images of tuning and the partly labelled ones of gold are labelled too, into folders of
    their own: thresholds are chosen on tuning, and silver may add objects to the others.
    Every prediction above the score floor is written. Shards that exist are not labelled again:
    they are of a run that was killed, or of `label_part`. Nor are images that the same teachers
    have labelled in an earlier run.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder of the previous round's champion.
        output: the folder to write.
        round_number: the round to write beside each prediction.
        params: all parameters; `data` and `pseudo_label` are used.

    Raises:
        ModelError: a teacher is missing, or teachers differ in task or classes.
        DataError: a teacher was trained on val, tuning or test, or a file has faults.
        BusyError: another process labels a part.
    """
    labelling = Labelling.plan(prepared, champion, round_number, params)
    labelling.check_files()

    def label() -> list[str]:
        with ExitStack() as locks:
            for folder in sorted((labelling.scratch / _PARTS).glob("*")):
                locks.enter_context(_part_lock(folder))
            if params.pseudo_label.workers.ray is None:
                labelling.label()
            else:
                label_with_ray(labelling)
            return _collect(labelling)

    publish_result(labelling.scratch, output, label)
    if labelling.key is not None:
        keep_predictions(
            round_number, labelling.key, labelling.pool, output, labelling.shard_images
        )


def label_part(
    prepared: Path, champion: Path, round_number: int, params: Params, part: Part
) -> None:
    """Label one part of the pool. `label_pool` takes the result, once all parts have ended.

    Args:
        prepared: the folder of prepared data.
        champion: the model folder of the previous round's champion.
        round_number: the round to write beside each prediction.
        params: all parameters; `data` and `pseudo_label` are used.
        part: the part.

    Raises:
        ModelError: a teacher is missing, or teachers differ in task or classes.
        DataError: a teacher was trained on val, tuning or test, or a file has faults.
        BusyError: another process labels this part, or all of the pool.
    """
    labelling = Labelling.plan(prepared, champion, round_number, params)
    with scratch_lock(labelling.scratch):
        lock = _part_lock(labelling.scratch / _PARTS / f"{part.number}_of_{part.parts}")
        locks = ExitStack()
        locks.enter_context(lock)
    with locks:
        labelling.label(part)


def _part_lock(folder: Path) -> Any:
    return exclusive_lock(folder, f"labelling part {folder.name.replace('_', ' ')}")


def _collect(labelling: Labelling) -> list[str]:
    """Bring the shards of the pool together, and return the names of all files of the result."""
    scratch, size = labelling.scratch, labelling.shard_images
    remove_unfinished(scratch)
    (scratch / TUNING).mkdir(exist_ok=True)
    if scratch / NEW in labelling.work and labelling.kept is not None:
        labelling.kept.join(labelling.kind, labelling.pool, scratch / NEW, scratch, size)
    names = [name for path in shard_paths(scratch) for name in read_unreadable(path)]
    record = labelling.teachers.describe(labelling.files) | {
        "round": labelling.round_number,
        "images": len(labelling.pool),
        "shard_images": size,
        "unreadable": names,
    }
    write_json(
        scratch / TEACHER_FILE,
        record | ({} if labelling.labels_tuning else {WITHOUT_TUNING: True}),
    )
    found = sorted(path.name for path in scratch.iterdir())
    return [name for name in found if name != LOCK and name[0] != "."]
