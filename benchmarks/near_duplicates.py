"""Pairs of images by the distance of their perceptual hashes: how far near-duplicates reach.

    python -m benchmarks.near_duplicates   # as in docs/benchmarks.md

Prints for each data set how many pairs of images are 0, 2, 4, 6 and 8 bits apart (pHash sets half
of its bits, so that most distances are even), and with --list the pairs themselves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pseudolabel.formats.images import images_below, perceptual_hashes
from pseudolabel.leaks import near_pairs

SETS = ("bccd", "dsb2018", "dubai_aerial", "clothing")
FURTHEST = 8


def main() -> None:
    """Hash, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--list", type=int, default=0, metavar="N", help="name pairs up to N bits")
    arguments = parser.parse_args()
    for name in SETS:
        folder = arguments.data / name / "images"
        looks, _ = perceptual_hashes(folder, images_below(folder))
        files = np.array(list(looks))
        values, first, counts = np.unique(
            np.array(list(looks.values()), np.uint64), return_index=True, return_counts=True
        )
        i, j, bits = near_pairs(values, FURTHEST)
        equal = int((counts * (counts - 1) // 2).sum())
        pairs = [equal, *(int((bits == it).sum()) for it in range(1, FURTHEST + 1))]
        said = ", ".join(f"{pairs[it]} at {it}" for it in range(FURTHEST + 1) if pairs[it])
        print(f"{name}, {len(files):,} images: {said or 'no pairs'}")
        for row in np.flatnonzero(bits <= arguments.list):
            print(f"  {bits[row]}: {files[first[i[row]]]} {files[first[j[row]]]}")


if __name__ == "__main__":
    main()
