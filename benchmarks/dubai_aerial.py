"""Write a copy of dubai_aerial whose masks have category ids instead of grey values.

    python -m benchmarks.dubai_aerial ../shared/data/dubai_aerial data/dubai_aerial

The masks of this data set have a grey value per class: building 44, land 91, road 172, vegetation
212, water 171. The raw layout requires category ids. The program prints the share of each class;
compare it with the table in the data set's SOURCE.md.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.files import written_aside
from pseudolabel.formats.label_maps import UNLABELLED

GREYS = {"building": 44, "land": 91, "road": 172, "vegetation": 212, "water": 171}
"""Grey value of each class, in order of the category ids, which count from 0."""


def copy_with_ids(source: Path, output: Path) -> NDArray[np.int64]:
    """Copy the data set with new masks, and return the (256,) number of pixels of each value."""
    table = np.full(256, UNLABELLED, np.uint8)
    table[list(GREYS.values())] = np.arange(len(GREYS))
    pixels = np.zeros(256, np.int64)
    with written_aside(output) as aside:
        shutil.copytree(source, aside)
        for path in tqdm(sorted(aside.glob("*masks/*.png")), desc="masks"):
            greys = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            unknown = set(np.unique(greys).tolist()) - {*GREYS.values(), UNLABELLED}
            if unknown:
                raise SystemExit(f"error: {path.name}: unknown greys {sorted(unknown)}")
            labels = table[greys]
            pixels += np.bincount(labels.ravel(), minlength=256)
            cv2.imwrite(str(path), labels)
    return pixels


def main() -> None:
    """Copy the data set, and print the share of each class."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    pixels = copy_with_ids(arguments.source, arguments.output)
    for name, count in zip([*GREYS, "ignore"], [*pixels[: len(GREYS)], pixels[255]], strict=True):
        print(f"{name}: {count / pixels.sum():.2%}")


if __name__ == "__main__":
    main()
