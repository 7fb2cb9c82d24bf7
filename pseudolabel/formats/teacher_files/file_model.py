"""A model folder that holds a file of predictions in place of weights: round 0 without training."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
from pydantic import ValidationError

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import path_inside, write_json
from pseudolabel.core.teacher_file import TeacherFile

PREDICTIONS = "predictions.json"
"""In such a model folder: which of its files has the predictions, and what its classes mean."""
_IDS = "ids.json"


def write_file_model(teacher: TeacherFile, folder: Path) -> None:
    """Write a model folder with a copy of a file or folder of predictions.

    Args:
        teacher: the predictions.
        folder: the folder to write.
    """
    folder.mkdir(parents=True)
    copy = folder / "predictions" / teacher.file.name
    copy.parent.mkdir()
    if teacher.file.is_dir():
        shutil.copytree(teacher.file, copy)
    else:
        shutil.copyfile(teacher.file, copy)
    record = {"file": copy.relative_to(folder).as_posix(), "classes": teacher.classes}
    if teacher.ids is not None:
        shutil.copyfile(teacher.ids, folder / _IDS)
        record["ids"] = _IDS
    write_json(folder / PREDICTIONS, record)


def file_of_model(folder: Path) -> TeacherFile | None:
    """Return the file of predictions of a model folder; None if it is one with weights.

    Raises:
        DataError: the record is damaged, or names a file outside of the folder.
    """
    path = folder / PREDICTIONS
    if not path.is_file():
        return None
    try:
        teacher = TeacherFile.model_validate(orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, ValidationError) as error:
        expected = "the record of a file of predictions"
        raise DataError([Fault(str(path), "", expected, "other values")]) from error
    for name in (teacher.file, teacher.ids):
        if name is not None and path_inside(folder, str(name)) is None:
            raise DataError([Fault(str(path), "", "a path inside the folder", repr(str(name)))])
    ids = folder / teacher.ids if teacher.ids is not None else None
    return teacher.model_copy(update={"file": folder / teacher.file, "ids": ids})
