"""The folder of collected folds: each one's champion, and the part of gold that it never saw."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.errors import ModelError
from pseudolabel.files import written_aside
from pseudolabel.model_folder import images_seen

MODELS = Path("folds/models")
CHAMPION, HELD_OUT = "champion", "held_out"


@dataclass(frozen=True)
class Fold:
    """One of k folds.

    Attributes:
        number: of the fold, from 0.
        folder: where its champion and the gold that was held out lie.
    """

    number: int
    folder: Path

    @property
    def champion(self) -> Path:
        """The folder of the best model that was trained without the fold."""
        return self.folder / CHAMPION

    @property
    def held_out(self) -> Path:
        """The split that its models have not seen."""
        return self.folder / HELD_OUT

    def images_seen(self) -> set[str]:
        """Return the content hashes of the images that its champion was trained on."""
        return images_seen(self.champion)


def read_folds(models: Path) -> list[Fold]:
    """Return all folds of a folder, by number.

    Raises:
        ModelError: there are none, or one between them is missing.
    """
    numbers = sorted(int(path.name) for path in models.glob("[0-9]*") if path.name.isdecimal())
    if not numbers or numbers != list(range(len(numbers))):
        found = ", ".join(map(str, numbers)) or "none"
        raise ModelError(
            f"{models}: expected the champions of folds 0, 1, ..., found {found}: run folds by "
            "`dvc exp run --queue`, then `python -m pseudolabel folds`"
        )
    return [Fold(number, models / str(number)) for number in numbers]


def keep_fold(models: Path, number: int, champion: Path, prepared: Path) -> None:
    """Copy what is kept of a fold from its champion's folder and its prepared data."""
    left_out = prepared / HELD_OUT
    with written_aside(models / str(number)) as aside:
        shutil.copytree(champion, aside / CHAMPION)
        shutil.copytree(left_out if left_out.exists() else prepared / "val", aside / HELD_OUT)
