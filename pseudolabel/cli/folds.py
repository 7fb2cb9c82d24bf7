"""`python -m pseudolabel folds`: collect the champions of fold experiments in folds/models."""

from __future__ import annotations

import argparse

from pseudolabel.audit.collect_folds import collect_folds
from pseudolabel.core.project import FOLD_MODELS

DESCRIPTION = (
    "Collect the champions of experiments that differ in prepare.fold in folds/models, "
    "for `pseudo_label.teachers: folds` and for the audit of gold."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "experiments",
        nargs="*",
        help="names of the experiments, as in `dvc exp show`; default: all of this commit",
    )


def run(arguments: argparse.Namespace) -> int:
    """Collect the champions, and print one line per fold."""
    for fold in collect_folds(arguments.experiments, FOLD_MODELS):
        print(f"fold {fold.number}: champion of round {fold.round} of {fold.name} in {FOLD_MODELS}")
    return 0
