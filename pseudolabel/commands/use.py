"""`python -m pseudolabel use`: make a preset params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pseudolabel.presets import use


def add_to(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    parser = commands.add_parser(
        "use",
        help="make a preset params.yaml",
        description=(
            "Check a preset and write it to params.yaml, with the defaults where it says nothing; "
            "`data` stays as it is. presets/default.yaml goes back to what is shipped."
        ),
    )
    parser.add_argument("preset", type=Path, help="such as presets/livestock.yaml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write params.yaml, and say what was written."""
    params = use(arguments.preset, Path("params.yaml"))
    print(
        f"params.yaml: {params.task}, {params.model.config}, {params.train.iterations} iterations"
    )
    return 0
