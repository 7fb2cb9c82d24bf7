"""Load the merged set of a million images with twenty million boxes, as a training does.

    python -m benchmarks.training_set                 # as in docs/benchmarks.md
    python -m benchmarks.training_set --images 20000  # a quick run

The program writes silver as the stage `merge` does, with the boxes of benchmarks/million.py. It
prints the seconds and the peak memory of loading it. mmdet's CocoDataset loads the first images, in
two sizes; the program prints the estimate for all, and compares the entries of the smaller size.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmdet.datasets import CocoDataset

from benchmarks.measuring import measure
from benchmarks.million import BOXES, CATEGORIES, HEIGHT, WIDTH, random_predictions
from pseudolabel.core.records import Annotations, Dataset, Images
from pseudolabel.formats.coco_writer import write_coco_parts
from pseudolabel.training.objects import ObjectDataset

SHARD_IMAGES = 20_000
PARTS = (20_000, 100_000)
"""Images that mmdet's CocoDataset loads: all of them would not fit into memory."""
READ_ENTRIES = 20_000


def write_merged(path: Path, count: int) -> None:
    """Write silver of `count` images with 20 boxes each."""
    ids = np.arange(1, count + 1)
    names = [f"{number:07d}.jpg" for number in range(1, count + 1)]
    hashes = [f"{number:064x}" for number in range(1, count + 1)]
    images = Images.build(ids, names, [WIDTH] * count, [HEIGHT] * count, hashes)
    dataset = Dataset(images, Annotations.empty(), CATEGORIES)
    write_coco_parts(path, dataset, silver_parts(ids), {2: "f" * 64})


def silver_parts(ids: np.ndarray) -> Iterator[Annotations]:
    """Yield the boxes of all images, shard by shard, with ids that count up from 1."""
    rng = np.random.default_rng(0)
    for begin in range(0, len(ids), SHARD_IMAGES):
        rows = random_predictions(rng, ids[begin : begin + SHARD_IMAGES])
        first = begin * BOXES + 1
        yield replace(rows, ids=np.arange(first, first + len(rows)))


def load(kind: type[CocoDataset], path: Path) -> CocoDataset:
    """Return a data set as a training makes it, without transforms."""
    return kind(
        ann_file=str(path),
        data_prefix={"img": "images"},
        metainfo={"classes": tuple(category.name for category in CATEGORIES)},
        filter_cfg=None,
        pipeline=[],
    )


def load_only(kind: type[CocoDataset], path: Path) -> int:
    """Load a data set, and return its number of images."""
    return len(load(kind, path))


def read_entries(kind: type[CocoDataset], path: Path) -> tuple[float, float]:
    """Return the microseconds per entry, and by how many MB a forked loader worker grows."""
    dataset = load(kind, path)
    rows = np.random.default_rng(0).integers(0, len(dataset), READ_ENTRIES).tolist()
    cost = measure(walk, dataset, rows)
    return cost.result


def walk(dataset: CocoDataset, rows: list[int]) -> tuple[float, float]:
    """Read entries in this process; return the microseconds per entry, and its growth in MB."""
    for row in rows[:1000]:
        dataset.get_data_info(row)
    before, start = private_mb(), time.process_time()
    for row in rows:
        dataset.get_data_info(row)
    return (time.process_time() - start) / len(rows) * 1e6, private_mb() - before


def private_mb() -> float:
    """Return the memory that this process shares with no other one, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e3


def same_entries(path: Path) -> bool:
    """Return whether both data sets have the same entries, but for what mmdet does not have."""
    theirs, ours = load(CocoDataset, path), load(ObjectDataset, path)
    if len(theirs) != len(ours):
        return False
    entries = ((theirs.get_data_info(row), ours.get_data_info(row)) for row in range(len(ours)))
    return all(entry == {name: other[name] for name in entry} for entry, other in entries)


def main() -> None:
    """Write merged data, measure both data sets and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument(
        "--folder", type=Path, help="folder for a temporary folder (default: the system's)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        path = Path(name) / "coco.json"
        measure(write_merged, path, arguments.images)
        size = path.stat().st_size / 1e9
        print(f"{arguments.images:,} images, {arguments.images * BOXES:,} boxes, {size:.2f} GB")
        print(f"pseudolabel: {measure(load_only, ObjectDataset, path)}")
        compare_parts(path, arguments.images)


def compare_parts(path: Path, count: int) -> None:
    """Load the first images with both data sets, and print the results."""
    costs = []
    for part in PARTS:
        measure(write_merged, path, part)
        costs.append(measure(load_only, CocoDataset, path))
        print(f"CocoDataset, {part:,} images: {costs[-1]}")
        print(f"pseudolabel, {part:,} images: {measure(load_only, ObjectDataset, path)}")
        if part == PARTS[0]:
            print(f"the same entries: {measure(same_entries, path).result}")
    share = (count - PARTS[1]) / (PARTS[1] - PARTS[0])
    first, second = costs
    cpu = second.cpu_seconds + (second.cpu_seconds - first.cpu_seconds) * share
    peak = second.peak_gb + (second.peak_gb - first.peak_gb) * share
    print(f"CocoDataset, estimate for all images: {cpu:.0f} s of CPU, peak memory {peak:.0f} GB")
    for kind in (CocoDataset, ObjectDataset):
        microseconds, growth = measure(read_entries, kind, path).result
        print(
            f"{kind.__name__}: {microseconds:.0f} microseconds per entry; "
            f"a loader worker grows by {growth:.1f} MB in {READ_ENTRIES:,} entries"
        )


if __name__ == "__main__":
    main()
