"""Collect the champions of fold experiments from DVC's cache."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import remove
from pseudolabel.core.project import PREPARED
from pseudolabel.formats.fold_folder import HELD_OUT, write_fold


@dataclass(frozen=True)
class FoldExperiment:
    """An experiment that trained one fold.

    Attributes:
        name: name of the experiment.
        commit: the Git commit of the experiment.
        number: number of its fold, from 0.
        folds: number of folds.
        round: the last round of the experiment.
    """

    name: str
    commit: str
    number: int
    folds: int
    round: int


def collect_folds(names: Sequence[str], models: Path) -> list[FoldExperiment]:
    """Replace the content of a folder by the champions of all folds, and return the folds.

    Args:
        names: names of the experiments; if empty, all experiments of the current commit with folds.
        models: the folder of folds.

    Raises:
        ModelError: an experiment is unknown or has no folds, a fold is missing or occurs twice, or
            an experiment's files are not in the cache.
    """
    folds = sorted(_fold_experiments(names), key=lambda fold: fold.number)
    _check_complete(folds)
    with tempfile.TemporaryDirectory() as scratch:
        for fold in folds:
            files = DVCFileSystem(rev=fold.commit)
            champion, prepared = Path(scratch) / "champion", Path(scratch) / "prepared"
            try:
                files.get(f"rounds/{fold.round}/champion", str(champion), recursive=True)
                part = HELD_OUT if files.exists(f"{PREPARED}/{HELD_OUT}") else "val"
                files.get(f"{PREPARED}/{part}", str(prepared / part), recursive=True)
            except (DvcException, OSError) as error:
                raise ModelError(f"experiment {fold.name}: {error}") from error
            write_fold(models, fold.number, champion, prepared)
            remove(champion)
            remove(prepared)
    for path in models.glob("[0-9]*"):
        if path.name not in {str(fold.number) for fold in folds}:
            remove(path)
    return folds


def _fold_experiments(names: Sequence[str]) -> list[FoldExperiment]:
    """Return the named experiments, or all experiments of the current commit with folds."""
    known = dict(experiment for rows in Repo().experiments.ls().values() for experiment in rows)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ModelError(
            f"expected experiments of the current commit ({', '.join(known) or 'it has none'}), "
            f"found {', '.join(unknown)}"
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


def _check_complete(folds: Sequence[FoldExperiment]) -> None:
    """Raise unless the experiments, sorted by fold, are all folds of one split, each once."""
    counts = {fold.folds for fold in folds}
    numbers = [fold.number for fold in folds]
    if len(counts) != 1 or numbers != list(range(next(iter(counts)))):
        found = ", ".join(f"{fold.name} (fold {fold.number} of {fold.folds})" for fold in folds)
        raise ModelError(
            f"expected one experiment per fold, found {found or 'none'}: run the folds with "
            "`dvc exp run --queue -S prepare.folds=5 -S prepare.fold=0,1,2,3,4` and "
            "`dvc queue start`, or name the experiments to use"
        )
