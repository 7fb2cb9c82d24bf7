"""`python -m pseudolabel check`: tell every fault of a raw root, or mend it into a new one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pseudolabel.mending import mend
from pseudolabel.params.loading import load_params
from pseudolabel.prepare import Prepared, read_and_split, said_of_missing, said_of_twins
from pseudolabel.tasks import TASKS


def add_to(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    parser = commands.add_parser(
        "check",
        help="tell every fault of a raw root",
        description=(
            "Check a raw root as prepare does, by the parameters in params.yaml, and write nothing."
        ),
    )
    parser.add_argument("root", type=Path, help="the folder with images/ and gold")
    parser.add_argument("--task", choices=TASKS, help="in place of the task in params.yaml")
    parser.add_argument(
        "--fix",
        type=Path,
        metavar="NEW",
        help="copy the root to NEW, mended where that is safe, and check that one",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Mend if that is asked for, check, and print what was done and found.

    Raises:
        DataError: the root, or the mended one, has faults.
    """
    params, root = load_params(task=arguments.task), arguments.root
    if arguments.fix is not None:
        done = mend(root, arguments.fix)
        print(f"{len(done)} mended in {arguments.fix}:" if done else "nothing to mend")
        for line in done:
            print(f"  {line}")
        root = arguments.fix
    for line in said_of(read_and_split(root, TASKS[params.task], params.prepare, params.seed)):
        print(line)
    return 0


def said_of(prepared: Prepared) -> list[str]:
    """Return what prepare would make of a sound root, in lines."""
    lines = ["no faults; prepare makes of it:"]
    for split, dataset in prepared.splits.items():
        labels = f", {len(dataset.annotations):,} labels" if split != "pool" else ""
        lines.append(f"  {split}: {len(dataset.images):,} images{labels}")
    report = prepared.report
    lines += [f"  {line}" for line in said_of_twins(report)]
    lines += [
        f"  taken out of {it['split']}: {it['file']!r}, {it['kind']} of {it['twin_split']}'s "
        f"{it['twin']!r}"
        for it in report["taken_out"]
    ]
    lines += [f"  unreadable, left out of the pool: {name!r}" for name in report["unreadable"]]
    lines += [f"  {said_of_missing(report)}"] if report["classes_without_gold"] else []
    for split, names in report["images_without_labels"].items():
        if names:
            lines.append(f"  images of {split} without a label: {len(names):,}")
    return lines
