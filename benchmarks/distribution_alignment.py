r"""Would distribution alignment help? Silver of classes, as predicted and aligned with gold.

    run=lift/clothing/pretrained
    python -m benchmarks.distribution_alignment --oracle ../shared/data/clothing/oracle.json \
        $run/prepared $run/seed_0/loop/*/predictions

Each probability is multiplied by the share of its class in gold over its mean in the pool, then all
of an image are scaled to a sum of 1 (ReMixMatch, Berthelot et al. 2020). Prints the share of the
pool whose most likely class is the true one, for each folder of predictions of benchmarks/lift.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.shards import read_probabilities, shard_paths
from pseudolabel.formats.split_folder import SplitFolder


def main() -> None:
    """Print a line for each folder of predictions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("prepared", type=Path, help="the folder of prepared data")
    parser.add_argument("predictions", type=Path, nargs="+", help="folders of predictions")
    parser.add_argument("--oracle", type=Path, required=True, help="the true labels of the pool")
    asked = parser.parse_args()
    gold, pool = (SplitFolder(asked.prepared / name).read() for name in ("gold", "pool"))
    oracle = read_coco(asked.oracle)
    classes = dict(zip(oracle.images.file_names, oracle.class_indices.tolist(), strict=True))
    names = dict(zip(pool.images.ids.tolist(), pool.images.file_names, strict=True))
    shares = np.bincount(gold.class_indices, minlength=len(gold.categories)) / len(gold.annotations)
    print("| predictions | as predicted | aligned |\n| --- | --- | --- |")
    for folder in asked.predictions:
        found = Probabilities.concatenate([read_probabilities(one) for one in shard_paths(folder)])
        truth = np.array([classes[names[one]] for one in found.image_ids.tolist()])
        values = found.values.astype(np.float64)
        aligned = values * (shares / values.mean(axis=0))
        right = [f"{(one.argmax(axis=1) == truth).mean():.4f}" for one in (values, aligned)]
        print(f"| {folder.parent.name} | {' | '.join(right)} |", flush=True)


if __name__ == "__main__":
    main()
