"""`python -m pseudolabel check`: report all faults of a raw root, or repair it into a new one."""

from __future__ import annotations

import argparse

from pseudolabel.cli.raw_root import new_root_argument, raw_root_argument
from pseudolabel.cli.template import template_folder
from pseudolabel.core.errors import ParamsError, counted
from pseudolabel.core.project import KEPT_RAW, REVIEWED_GOLD
from pseudolabel.core.tasks import TASKS
from pseudolabel.params.common import Params
from pseudolabel.params.loading import PARAMS, load_params
from pseudolabel.raw.repair import repair
from pseudolabel.splits.messages import (
    describe_deep,
    describe_few,
    describe_missing_classes,
    describe_removed,
)
from pseudolabel.splits.prepare import Prepared, read_and_split

DESCRIPTION = (
    "Check a raw root as the stage prepare does, with the parameters of params.yaml, or outside "
    "of a project with the defaults of --task. "
    "Nothing is written, except for a list of many faults: faults.txt in the working folder. "
    "Of a root in a bucket, the labels are copied to .scratch/s3."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "root", type=raw_root_argument, help="the folder with images/ and gold.json, or s3://..."
    )
    parser.add_argument("--task", choices=TASKS, help="instead of the task in params.yaml")
    parser.add_argument(
        "--fix",
        type=new_root_argument,
        metavar="NEW",
        help="copy the root to NEW, repair it there where that is safe, and check the copy",
    )


def run(arguments: argparse.Namespace) -> int:
    """Repair if asked to, check, and print what was done and found.

    Raises:
        DataError: the root, or the repaired copy, has faults.
    """
    params, root = _params(arguments.task), arguments.root
    if arguments.fix is not None:
        repairs = repair(root, arguments.fix, params.task)
        count = counted(len(repairs), "repair")
        print(f"{count} in {arguments.fix}:" if repairs else "nothing to repair")
        for line in repairs:
            print(f"  {line}")
        root = arguments.fix
    is_own = root.resolve() == params.data.root.resolve()
    folders = (REVIEWED_GOLD, KEPT_RAW) if is_own else (None, None)
    prepared = read_and_split(root, params.task, params.prepare, params.seed, *folders)
    print("\n".join(_describe(prepared)))
    return 0


def _params(task: str | None) -> Params:
    """Return the parameters of the project, or outside of a project the defaults of a task."""
    if PARAMS.is_file():
        return load_params(task=task)
    if task is None:
        tasks = ", ".join(TASKS)
        raise ParamsError(f"{PARAMS}: none here; run this in a project, or give --task ({tasks})")
    return load_params(template_folder() / "presets" / f"{task}.yaml")


def _describe(prepared: Prepared) -> list[str]:
    """Return what prepare would make of a root without faults."""
    lines = ["no faults; prepare makes these splits:"]
    for split, dataset in prepared.splits.items():
        labels = f", {counted(len(dataset.annotations), 'label')}" if split != "pool" else ""
        lines.append(f"  {split}: {counted(len(dataset.images), 'image')}{labels}")
    report = prepared.report
    for describe in (describe_removed, describe_deep, describe_few):
        lines += [f"  {line}" for line in describe(report)]
    lines += [
        f"  removed from {pair['split']}: {pair['file']!r}, {pair['kind']} of {pair['twin']!r} "
        f"in {pair['twin_split']}"
        for pair in report["removed"]
    ]
    lines += [f"  unreadable, not in the pool: {name!r}" for name in report["unreadable"]]
    lines += [f"  {describe_missing_classes(report)}"] if report["classes_without_gold"] else []
    for split, names in report["images_without_labels"].items():
        if names:
            lines.append(f"  images of {split} without labels: {len(names):,}")
    return lines
