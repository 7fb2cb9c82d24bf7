"""`python -m pseudolabel masks`: write the label maps of silver as PNG files."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import written_aside
from pseudolabel.core.records import category_ids_of
from pseudolabel.formats.label_maps import UNLABELLED, write_map
from pseudolabel.formats.split_folder import SplitFolder

DESCRIPTION = (
    "Write the label maps of a split or of merged silver as PNG files, named after their images. "
    "A pixel is the id of its class in coco.json, as in masks/ of raw data; 255 is unlabelled."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("split", type=Path, help="a folder such as rounds/1/merged/silver")
    parser.add_argument("output", type=Path, help="the folder to write, which must not exist")


def run(arguments: argparse.Namespace) -> int:
    """Write the label maps, and print their number.

    Raises:
        DataError: the folder has no label maps, or the output exists.
    """
    split, output = SplitFolder(arguments.split), arguments.output
    if not split.coco_file.is_file() or not split.has_label_maps:
        expected = "a split with label maps, such as rounds/1/merged/silver"
        raise DataError([Fault(str(split.path), "", expected, "none")])
    if output.exists():
        raise DataError([Fault(str(output), "", "a new folder", "one that exists")])
    dataset = split.read()
    values = np.full(256, UNLABELLED, np.uint8)
    values[: len(dataset.categories)] = category_ids_of(dataset.categories)
    images = zip(dataset.images.ids.tolist(), dataset.images.file_names, strict=True)
    with written_aside(output) as aside:
        for image_id, name in tqdm(images, "masks", len(dataset.images), mininterval=2):
            write_map((aside / name).with_suffix(".png"), values[split.label_map(image_id)])
    print(f"{len(dataset.images):,} label maps in {output}")
    return 0
