"""`python -m pseudolabel import`: bring another format into the raw layout."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pseudolabel.formats.coco import read_coco
from pseudolabel.imports import READERS
from pseudolabel.imports.layout import write_layout
from pseudolabel.imports.source import Request


def add_to(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    parser = commands.add_parser(
        "import",
        help="bring another format into the raw layout",
        description="Copy images and labels of another format into a raw root.",
    )
    parser.add_argument("--from", dest="format", required=True, choices=READERS)
    parser.add_argument("source", type=Path, help="the folder or file to read")
    parser.add_argument("root", type=Path, help="the raw root to write, new or with other splits")
    parser.add_argument(
        "--split",
        choices=("gold", "val", "test", "pool"),
        default="gold",
        help="what the labels become where the format names no splits (default: gold)",
    )
    parser.add_argument("--images", type=Path, help="the folder of images, if it lies elsewhere")
    parser.add_argument(
        "--classes",
        default="",
        help="names of the classes with commas between, in the order of their numbers",
    )
    parser.add_argument(
        "--class-from-folder",
        action="store_true",
        help="coco: the class of a label is the name of the folder that its file lies in",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, write, and print what was written.

    Raises:
        DataError: the source has faults, or the root is not free for it.
    """
    classes = tuple(name.strip() for name in arguments.classes.split(",") if name.strip())
    classes = classes or classes_of(arguments.root)
    request = Request(
        arguments.source, arguments.split, arguments.images, classes, arguments.class_from_folder
    )
    found = READERS[arguments.format](request)
    write_layout(found, arguments.root)
    for split, it in found.splits.items():
        rows = len(it.content["annotations"])
        print(f"{split}: {len(it.files):,} images, {rows:,} labels in {arguments.root}")
    print(f"next: python -m pseudolabel check {arguments.root}")
    return 0


def classes_of(root: Path) -> tuple[str, ...]:
    """Return the classes of a root's gold, for its other splits; none where it has no gold yet."""
    if not (root / "gold.json").exists():
        return ()
    categories = read_coco(root / "gold.json").categories
    return tuple(category.name for category in categories)
