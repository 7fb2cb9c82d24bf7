"""Round 0 without training: a file of predictions takes the place of the model."""

from __future__ import annotations

from pathlib import Path

from pseudolabel.core.files import written_aside
from pseudolabel.core.teacher_file import TeacherFile
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import read_teacher_file
from pseudolabel.formats.teacher_files.file_model import write_file_model


def take_file(file: Path | TeacherFile, prepared: Path, output: Path, task: str) -> None:
    """Write a file of predictions as the model folder of round 0, after checking it.

    Args:
        file: the file.
        prepared: the folder of prepared data.
        output: the folder to write.
        task: the task.

    Raises:
        ModelError: the file does not exist, or is of another kind.
        DataError: it has faults, or lacks images of val or test; all of them are listed.
    """
    teacher = file if isinstance(file, TeacherFile) else TeacherFile(file=file)
    known = read_teacher_file(teacher, prepared, task, 0)
    names = ("val", "tuning", "test", "pool")
    splits = {name: SplitFolder(prepared / name).read().images for name in names}
    print(known.describe(splits), flush=True)
    for name in ("val", "test"):
        known.require(splits[name], name)
    with written_aside(output) as aside:
        write_file_model(teacher, aside)
