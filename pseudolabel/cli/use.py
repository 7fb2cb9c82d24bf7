"""`python -m pseudolabel use`: write params.yaml for a task or a recipe."""

from __future__ import annotations

import argparse

from pseudolabel.params.presets import use

_LONGEST = 100
"""Characters of a printed line."""


DESCRIPTION = (
    "Check a preset and write it to params.yaml. The presets detection, instance, semantic "
    "and classification have all parameters of a task; a recipe such as livestock changes "
    "some of them. The section `data` of params.yaml stays as it is."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "preset", help="a name such as semantic or livestock, or the path of a YAML file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write params.yaml, and print what was written.

    Raises:
        ParamsError: there is no such preset, or it has faults.
    """
    used = use(arguments.preset)
    params = used.params
    print(
        f"params.yaml: {params.task}, {params.model.config}, {params.train.iterations} iterations"
    )
    if used.changes:
        print(f"different from presets/{params.task}.yaml:")
    for line in used.changes:
        print(f"  {line}" if len(line) <= _LONGEST else f"  {line[:_LONGEST]}...")
    return 0
