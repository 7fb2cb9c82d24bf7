"""The folder of collected folds: per fold, the champion and the held-out part of gold."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import written_aside
from pseudolabel.formats.model_folder import images_seen

CHAMPION, HELD_OUT = "champion", "held_out"


@dataclass(frozen=True)
class Fold:
    """One of k folds.

    Attributes:
        number: number of the fold, from 0.
        folder: the folder of its champion and its held-out gold.
    """

    number: int
    folder: Path

    @property
    def champion(self) -> Path:
        """The folder of the best model that was trained without the held-out images."""
        return self.folder / CHAMPION

    @property
    def held_out(self) -> Path:
        """The split that its models were not trained on."""
        return self.folder / HELD_OUT

    def images_seen(self) -> set[str]:
        """Return the content hashes of the images that its champion was trained on."""
        return images_seen(self.champion)


def read_folds(models: Path) -> list[Fold]:
    """Return all folds of a folder, sorted by number.

    Raises:
        ModelError: there is no fold, or a number is missing.
    """
    numbers = sorted(int(path.name) for path in models.glob("[0-9]*") if path.name.isdecimal())
    if not numbers or numbers != list(range(len(numbers))):
        found = ", ".join(map(str, numbers)) or "none"
        raise ModelError(
            f"{models}: expected the champions of folds 0, 1, ..., found {found}: run folds with "
            "`dvc exp run --queue`, then run `python -m pseudolabel folds`"
        )
    return [Fold(number, models / str(number)) for number in numbers]


def write_fold(models: Path, number: int, champion: Path, prepared: Path) -> None:
    """Copy the champion and the held-out gold of a fold.

    Args:
        models: the folder of all folds.
        number: number of the fold.
        champion: the folder of its champion.
        prepared: its prepared data.
    """
    held_out_split = prepared / HELD_OUT
    with written_aside(models / str(number)) as aside:
        shutil.copytree(champion, aside / CHAMPION)
        shutil.copytree(
            held_out_split if held_out_split.exists() else prepared / "val", aside / HELD_OUT
        )
