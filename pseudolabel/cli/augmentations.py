"""`python -m pseudolabel augmentations`: show what the augmentations do to some images."""

from __future__ import annotations

import argparse
from pathlib import Path

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.project import PREPARED
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.loading import load_params

DESCRIPTION = (
    "Write a page of gold images, unchanged and augmented as in training: as gold, with "
    "train.augmentations of params.yaml, and as silver, with train.silver_augmentations, too."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("--images", type=int, default=10, help="number of images (default: 10)")
    parser.add_argument(
        "--variants", type=int, default=5, help="augmented copies per image and list (default: 5)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("augmentations.html"), help="the page to write"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and print its path.

    Raises:
        DataError: there is no prepared data.
    """
    if not SplitFolder(PREPARED / "gold").coco_file.is_file():
        expected = "prepared data, which `dvc repro prepare` writes"
        raise DataError([Fault(str(PREPARED), "", expected, "none")])
    # Here, because errors and other commands need not wait for torch.
    from pseudolabel.cli.augmentations_page import write_augmentations_page  # noqa: PLC0415

    write_augmentations_page(
        PREPARED, arguments.output, load_params(), arguments.images, arguments.variants
    )
    print(f"written: {arguments.output}")
    return 0
