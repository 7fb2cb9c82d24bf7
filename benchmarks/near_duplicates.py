"""The number of image pairs by the distance of their perceptual hashes.

    python -m benchmarks.near_duplicates   # as in docs/benchmarks.md

For each data set, the program prints the number of image pairs at each distance from 0 to 8 bits.
pHash sets half of its bits, so that most distances are even. With --list, it also prints the pairs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pseudolabel.formats.image_files import list_images
from pseudolabel.raw.perceptual_hashes import perceptual_hashes
from pseudolabel.splits.duplicates import near_pairs

SETS = ("bccd", "dsb2018", "dubai_aerial", "clothing")
LARGEST_DISTANCE = 8


def main() -> None:
    """Compute the hashes, compare them, and print the pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--list", type=int, default=0, metavar="N", help="print pairs up to N bits")
    arguments = parser.parse_args()
    distances = range(1, LARGEST_DISTANCE + 1)
    for name in SETS:
        folder = arguments.data / name / "images"
        hashes, _ = perceptual_hashes(folder, list_images(folder))
        files = np.array(list(hashes))
        values, first, counts = np.unique(
            np.array([turns[0] for turns in hashes.values()], np.uint64),
            return_index=True,
            return_counts=True,
        )
        i, j, bits = near_pairs(values, values, LARGEST_DISTANCE)
        i, j, bits = i[i < j], j[i < j], bits[i < j]
        equal = int((counts * (counts - 1) // 2).sum())
        pairs = [equal, *(int((bits == distance).sum()) for distance in distances)]
        counted = [f"{count} at {distance}" for distance, count in enumerate(pairs) if count]
        print(f"{name}, {len(files):,} images: {', '.join(counted) or 'no pairs'}")
        for row in np.flatnonzero(bits <= arguments.list):
            print(f"  {bits[row]}: {files[first[i[row]]]} {files[first[j[row]]]}")


if __name__ == "__main__":
    main()
