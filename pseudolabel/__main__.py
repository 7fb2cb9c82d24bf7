"""The commands of pseudolabel, beside the stages that DVC runs.

The order of work:

  1. pseudolabel import my_labels my_data                 labels and images, in any common format
  2. pseudolabel check my_data --task detection           all faults at once
  3. pseudolabel init my_project --task detection --data my_data
  4. cd my_project && dvc repro                           build the rounds
  5. pseudolabel view                                     the rounds, the silver, the errors
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

import pseudolabel
from pseudolabel.core.errors import plain_errors

COMMANDS = {
    "init": "make a new project",
    "import": "convert labels in another format to a raw root",
    "check": "report all faults of a raw root, or repair it",
    "index": "find new and changed raw files",
    "use": "write params.yaml for a task or a recipe",
    "view": "show the report in a browser",
    "augmentations": "show what the augmentations do to some images",
    "masks": "write the label maps of silver as PNG files",
    "folds": "collect the champions of fold experiments",
    "join": "take part in the trainings of another machine",
    "review": "send images to a labelling tool, and take corrections back",
    "upgrade": "bring a project's pipeline files to the installed version",
}
"""Commands, with one module each in pseudolabel/cli."""
_MODULES = {"import": "import_data"}


def main() -> int:
    """Run the command of the command line, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="pseudolabel",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"pseudolabel {pseudolabel.__version__}"
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    # Some modules take seconds to import: only that of the command is imported.
    chosen = next((argument for argument in sys.argv[1:] if argument in COMMANDS), None)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name == chosen:
            module = import_module(f"pseudolabel.cli.{_MODULES.get(name, name)}")
            command.description = module.DESCRIPTION
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    with plain_errors():
        status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
