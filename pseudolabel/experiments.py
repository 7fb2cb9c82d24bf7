"""The champions of fold experiments, taken out of DVC's cache."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo

from pseudolabel.errors import ModelError
from pseudolabel.files import remove
from pseudolabel.folds import HELD_OUT, keep_fold

PREPARED = "data/prepared"


@dataclass(frozen=True)
class FoldExperiment:
    """An experiment that trained one fold.

    Attributes:
        name: of the experiment.
        commit: that holds it.
        number: of its fold.
        folds: how many folds there are.
        round: the last round that it built.
    """

    name: str
    commit: str
    number: int
    folds: int
    round: int


def collect(names: Sequence[str], models: Path) -> list[FoldExperiment]:
    """Put the champion of each fold into a folder, in place of what it held, and return the folds.

    Args:
        names: the experiments; all of the current commit that have folds where there is none.
        models: the folder of folds.

    Raises:
        ModelError: an experiment is unknown or has no folds, a fold is missing or there twice, or
            an experiment's files are not in the cache.
    """
    found = sorted(chosen(names), key=lambda it: it.number)
    check_whole(found)
    with tempfile.TemporaryDirectory() as scratch:
        for fold in found:
            files = DVCFileSystem(rev=fold.commit)
            champion, prepared = Path(scratch) / "champion", Path(scratch) / "prepared"
            try:
                files.get(f"rounds/{fold.round}/champion", str(champion), recursive=True)
                part = HELD_OUT if files.exists(f"{PREPARED}/{HELD_OUT}") else "val"
                files.get(f"{PREPARED}/{part}", str(prepared / part), recursive=True)
            except (DvcException, OSError) as error:
                raise ModelError(f"experiment {fold.name}: {error}") from error
            keep_fold(models, fold.number, champion, prepared)
            remove(champion)
            remove(prepared)
    for path in models.glob("[0-9]*"):
        if path.name not in {str(fold.number) for fold in found}:
            remove(path)
    return found


def chosen(names: Sequence[str]) -> list[FoldExperiment]:
    """Return the experiments of the current commit that have folds, or those of the names."""
    known = dict(experiment for rows in Repo().experiments.ls().values() for experiment in rows)
    strange = [name for name in names if name not in known]
    if strange:
        raise ModelError(
            f"expected experiments of this commit ({', '.join(known) or 'there are none'}), "
            f"found {', '.join(strange)}"
        )
    found = []
    for name in names or known:
        params = yaml.safe_load(DVCFileSystem(rev=known[name]).read_text("params.yaml"))
        prepare = params["prepare"]
        if prepare.get("folds") is not None:
            numbers = prepare["fold"], prepare["folds"], params["round"]
            found.append(FoldExperiment(name, known[name], *numbers))
        elif names:
            raise ModelError(f"experiment {name}: expected prepare.folds, found none")
    return found


def check_whole(found: Sequence[FoldExperiment]) -> None:
    """Raise unless the experiments, sorted by fold, are all folds of one division, each once."""
    folds = {fold.folds for fold in found}
    numbers = [fold.number for fold in found]
    if len(folds) != 1 or numbers != list(range(next(iter(folds)))):
        said = ", ".join(f"{it.name} (fold {it.number} of {it.folds})" for it in found)
        raise ModelError(
            f"expected one experiment for each of the folds, found {said or 'none'}: run them by "
            "`dvc exp run --queue -S prepare.folds=5 -S prepare.fold=0,1,2,3,4` and "
            "`dvc queue start`, or name the ones to take"
        )
