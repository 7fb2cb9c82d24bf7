"""`python -m pseudolabel`: the commands beside the DVC stages."""

from __future__ import annotations

import argparse
import sys

from pseudolabel.commands import augmentations, check, folds, import_data, use
from pseudolabel.errors import plain_errors

COMMANDS = (import_data, check, folds, use, augmentations)


def main() -> int:
    """Run the command that the command line names, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pseudolabel", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_to(commands)
    arguments = parser.parse_args()
    with plain_errors():
        status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
