"""The teachers of a round: models, and files of predictions that other models made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import hash_bytes, hash_file
from pseudolabel.core.held_out import MEASURED_ON, refuse_seen
from pseudolabel.core.project import FOLD_MODELS
from pseudolabel.core.teacher_file import Teacher, TeacherFile
from pseudolabel.formats.fold_folder import read_folds
from pseudolabel.formats.model_folder import CONFIG, WEIGHTS, images_seen
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.formats.teacher_files import KnownPredictions, read_teacher_file
from pseudolabel.formats.teacher_files.file_model import file_of_model

_CHAMPION = Path("champion")
"""In a list of teachers: the champion of the round before."""
_PARAMETER = "pseudo_label.teachers"


@dataclass(frozen=True)
class Teachers:
    """The teachers of a round.

    Attributes:
        folders: the model folders.
        files: the files of predictions.
    """

    folders: list[Path]
    files: list[TeacherFile]

    @property
    def inputs(self) -> list[Path]:
        """All files and folders that their predictions depend on."""
        paths = [path for folder in self.folders for path in sorted(folder.glob("*.pth"))]
        paths += [folder / CONFIG for folder in self.folders]
        for file in self.files:
            paths += [file.file] + ([file.ids] if file.ids is not None else [])
        return paths

    def read_files(self, prepared: Path, task: str, round_number: int) -> list[KnownPredictions]:
        """Return the predictions of all files.

        Raises:
            ModelError: a file does not exist, or is of another kind.
            DataError: a file has faults; all of them are listed.
        """
        return [read_teacher_file(file, prepared, task, round_number) for file in self.files]

    def describe(self, files: Sequence[KnownPredictions]) -> dict[str, Any]:
        """Return the hash of each teacher, and what is known of the files, for teacher.json."""
        weights = [hash_file(folder / WEIGHTS) for folder in self.folders]
        weights += [file.digest for file in files]
        record: dict[str, Any] = {
            "weights": weights[0] if len(weights) == 1 else hash_bytes("".join(weights).encode()),
            "weights_of_each": weights,
        }
        rows = [
            {"file": Path(file.name).name, "sha256": file.digest, "left_out": dict(file.left_out)}
            for file in files
        ]
        return record | ({"files": rows} if rows else {})


def teachers_of_round(
    teachers: Literal["champion", "folds"] | list[Teacher], champion: Path, prepared: Path
) -> Teachers:
    """Return the teachers that `pseudo_label.teachers` names in a round.

    Args:
        teachers: the value of the parameter in this round.
        champion: the model folder of the champion.
        prepared: the folder of prepared data.

    Raises:
        ModelError: a folder is missing, or a fold has another model.
        DataError: a model was trained on one of the splits.
    """
    if teachers == "folds":
        return Teachers(teacher_folders("folds", champion, prepared, _PARAMETER), [])
    entries = [_CHAMPION] if teachers == "champion" else list(teachers)
    folders: list[Path] = []
    files: list[TeacherFile] = []
    for entry in entries:
        if isinstance(entry, TeacherFile):
            files.append(entry)
            continue
        path = champion if entry == _CHAMPION else entry
        file = _file_of(path)
        if file is not None:
            files.append(file)
        elif entry == _CHAMPION:
            folders.append(champion)
        else:
            folders += teacher_folders([path], champion, prepared, _PARAMETER)
    return Teachers(folders, files)


def _file_of(path: Path) -> TeacherFile | None:
    """Return the predictions that a path has; None if it is a model folder, or does not exist."""
    if path.is_dir():
        is_model = (path / CONFIG).is_file() or (path / WEIGHTS).is_file()
        file = file_of_model(path)
        return file if file is not None or is_model else TeacherFile(file=path)
    return TeacherFile(file=path) if path.exists() or path.suffix else None


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


def _fold_champions(models: Path) -> list[Path]:
    """Return the model folders of all folds; raise if the models differ."""
    folders = [fold.champion for fold in read_folds(models)]
    for folder in folders:
        if file_of_model(folder) is not None:
            raise ModelError(f"{folder}: expected a trained model, found a file of predictions")
        if hash_file(folder / CONFIG) != hash_file(folders[0] / CONFIG):
            raise ModelError(f"{folder / CONFIG}: expected the model of fold 0, found another")
    return folders
