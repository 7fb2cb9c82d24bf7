"""`python -m pseudolabel folds`: put the champions of fold experiments into folds/models."""

from __future__ import annotations

import argparse
from typing import Any

from pseudolabel.experiments import collect
from pseudolabel.folds import MODELS


def add_to(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    parser = commands.add_parser(
        "folds",
        help="collect the champions of fold experiments",
        description=(
            "Collect the champions of experiments that differ in prepare.fold into folds/models, "
            "for `pseudo_label.teachers: folds` and for the audit of gold."
        ),
    )
    parser.add_argument(
        "experiments",
        nargs="*",
        help="names of the experiments, as `dvc exp show` tells them; all of this commit if none",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect, and print what was collected."""
    for fold in collect(arguments.experiments, MODELS):
        print(f"fold {fold.number}: champion of round {fold.round} of {fold.name} in {MODELS}")
    return 0
