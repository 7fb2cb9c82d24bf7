"""A pool that grows: labelling only the new images, and putting all predictions together.

    python -m benchmarks.growing_pool               # as in docs/benchmarks.md
    python -m benchmarks.growing_pool --images 10000 --new 100

Predictions of 20 boxes per image are generated and kept, as after a first run. Then new images are
added in between, whose predictions are generated, too: what is measured is all but the model.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import measure
from benchmarks.million import random_predictions
from pseudolabel.core.files import hash_bytes
from pseudolabel.core.records import Images
from pseudolabel.formats.shards import list_shards, write_shard
from pseudolabel.predictions.kept_predictions import KeptPredictions, keep_predictions

SHARD_IMAGES = 2_000


def generate(images: Images, folder: Path) -> None:
    """Write generated predictions for images."""
    rng = np.random.default_rng(0)
    for shard in list_shards(folder, images, SHARD_IMAGES):
        write_shard(shard.path, random_predictions(rng, shard.images.ids))


def named(numbers: np.ndarray) -> Images:
    """Return images by their numbers, in the order of their names, with new ids."""
    names = [f"{number:08d}.jpg" for number in numbers.tolist()]
    count, hashes = len(names), [hash_bytes(name.encode()) for name in names]
    return Images.build(range(1, count + 1), names, [640] * count, [480] * count, hashes)


def keep(images: Images, folder: Path) -> None:
    """Keep the predictions of a first run."""
    keep_predictions(1, "key", images, folder, SHARD_IMAGES)


def join(images: Images, new: Path, output: Path) -> None:
    """Put kept and new predictions together."""
    kept = KeptPredictions.find(1, "key")
    if kept is None:
        raise SystemExit("no kept predictions")
    output.mkdir()
    kept.join("objects", images, new, output, SHARD_IMAGES)


def main() -> None:
    """Measure with generated predictions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=1_000)
    asked = parser.parse_args()
    total = asked.images + asked.new
    is_new = np.zeros(total, bool)
    is_new[np.random.default_rng(0).permutation(total)[: asked.new]] = True
    before, after = named(np.flatnonzero(~is_new)), named(np.arange(total))
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        folder = Path(scratch)
        for name in ("first", "new"):
            (folder / name).mkdir()
        generate(before, folder / "first")
        print(f"{asked.images:,} images with predictions, {asked.new:,} new ones in between")
        print(f"keep the first predictions: {measure(keep, before, folder / 'first')}")
        generate(after[is_new], folder / "new")
        print(f"put all together: {measure(join, after, folder / 'new', folder / 'all')}")


if __name__ == "__main__":
    main()
