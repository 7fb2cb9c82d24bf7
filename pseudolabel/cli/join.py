"""`python -m pseudolabel join`: take part in the trainings of another machine."""

from __future__ import annotations

import argparse
from contextlib import suppress

DESCRIPTION = (
    "Take part in each training of this project that another machine starts with "
    "train.launcher.machines above 1, until the command is stopped. Both see the same folder."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the first machine says what to do."""


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - as all commands
    """Take part until the command is interrupted."""
    # Here, because torch takes seconds to import, and the help of a command needs none.
    from pseudolabel.training.launch import join_trainings  # noqa: PLC0415

    with suppress(KeyboardInterrupt):
        join_trainings()
    return 0
