"""`python -m pseudolabel augmentations`: a contact sheet of what the augmentations do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pseudolabel.errors import DataError, Fault
from pseudolabel.formats.coco import FILE
from pseudolabel.params.loading import load_params

PREPARED = Path("data/prepared")


def add_to(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    parser = commands.add_parser(
        "augmentations",
        help="show what train.augmentations do to some images",
        description=(
            "Write a page of images of gold, as they are and as a training takes them, by "
            "train.augmentations in params.yaml."
        ),
    )
    parser.add_argument("--images", type=int, default=10, help="how many images (10)")
    parser.add_argument("--variants", type=int, default=5, help="how often each is augmented (5)")
    parser.add_argument(
        "--output", type=Path, default=Path("augmentations.html"), help="the page to write"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and say where it is.

    Raises:
        DataError: there is no prepared data.
    """
    # Here, as the other commands need not wait for torch.
    from pseudolabel.engines.contact_sheet import write_contact_sheet  # noqa: PLC0415

    if not (PREPARED / "gold" / FILE).is_file():
        expected = "prepared data, which `dvc repro prepare` writes"
        raise DataError([Fault(str(PREPARED), "", expected, "none")])
    write_contact_sheet(
        PREPARED, arguments.output, load_params(), arguments.images, arguments.variants
    )
    print(f"written: {arguments.output}")
    return 0
