"""Predictions that a model elsewhere made, in files: a teacher without a model.

`read_teacher_file` reads every form, checks all of it, and reports all faults together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault, ModelError
from pseudolabel.core.records import Dataset, Images, Predictions, category_ids_of
from pseudolabel.core.tasks import TASKS, Kind
from pseudolabel.core.teacher_file import TeacherFile
from pseudolabel.formats.split_folder import COCO_FILE, SplitFolder
from pseudolabel.formats.teacher_files import coco, label_maps, probabilities, yolo
from pseudolabel.formats.teacher_files.base import Source
from pseudolabel.formats.teacher_files.known import KnownPredictions

__all__ = ["KnownPredictions", "read_teacher_file"]

_FORMS: dict[Kind, str] = {
    "objects": "a JSON file of COCO results, or a folder of YOLO's text files",
    "pixels": "a folder with labels/ and confidences/",
    "classes": "a CSV or Parquet file of probabilities",
}


def read_teacher_file(
    teacher: TeacherFile, prepared: Path, task: str, round_number: int
) -> KnownPredictions:
    """Return the predictions of a file for the images of prepared data.

    Args:
        teacher: the file or folder, and what its classes and numbers mean.
        prepared: the folder of prepared data, whose splits have the images.
        task: the task.
        round_number: the round to write beside each prediction.

    Raises:
        ModelError: there is no such file, or it is of another kind of label.
        DataError: the file has faults; all of them are listed.
    """
    kind = TASKS[task].kind
    _refuse_other_forms(teacher.file, kind)
    dataset = _all_splits(prepared)
    source = Source(teacher, dataset.images, dataset.categories)
    find, lists_images = _read(source, kind, task, round_number)
    if source.faults:
        raise DataError(source.faults)
    return KnownPredictions(
        str(teacher.file),
        sha256_of(teacher.file),
        np.array(sorted(source.covered.values()), np.int64),
        lists_images,
        dict(+source.left_out),
        find,
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of the lines `sha256sum` prints for it."""
    if not path.is_dir():
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = (f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read(
    source: Source, kind: Kind, task: str, round_number: int
) -> tuple[Callable[[NDArray[np.int64]], Predictions], bool]:
    """Return a function from ids of images to their predictions, and whether images are listed."""
    if kind == "classes":
        return probabilities.read(source), True
    if kind == "pixels":
        return label_maps.read(source), True
    reader = yolo if source.teacher.file.is_dir() else coco
    objects, lists_images = reader.read(source, masks=task == "instance")
    return objects.finder(category_ids_of(source.categories), round_number), lists_images


def _refuse_other_forms(path: Path, kind: Kind) -> None:
    """Raise if a path is not of a form that has predictions of a kind of label."""
    if not path.exists():
        raise ModelError(f"{path}: expected {_FORMS[kind]}, found no such file")
    suffix = "/" if path.is_dir() else path.suffix.lower()
    known = {"objects": (".json", "/"), "pixels": ("/",), "classes": (".csv", ".parquet")}
    if suffix not in known[kind]:
        found = "a folder" if suffix == "/" else f"a file {suffix or 'without a suffix'}"
        raise ModelError(str(Fault(str(path), "", _FORMS[kind], found)))


def _all_splits(prepared: Path) -> Dataset:
    """Return the images of all splits without labels; an image may be in two of them."""
    datasets = [SplitFolder(path.parent).read() for path in sorted(prepared.glob(f"*/{COCO_FILE}"))]
    images = Images.concatenate([dataset.images for dataset in datasets])
    _, first = np.unique(images.ids, return_index=True)
    return Dataset(images[first], datasets[0].annotations[:0], datasets[0].categories)
