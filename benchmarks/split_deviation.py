"""The deviation of splits from the whole data set: stratified and random splits.

    python -m benchmarks.split_deviation   # as in docs/benchmarks.md

All labelled images of a data set (gold, val, test and the oracle) are split in two ways: a fifth is
split off, or five folds are made. The program repeats this for 20 seeds. A deviation is the
difference between the share of a bin in a part and in the whole. The program prints the mean over
all bins, and the mean over seeds of the largest deviation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pseudolabel.core.datasets import concatenate
from pseudolabel.core.records import Dataset
from pseudolabel.raw import SPLIT_READERS
from pseudolabel.raw.sample.labels import ORACLE
from pseudolabel.splits.distributions import deviations, distributions_of
from pseudolabel.splits.stratify import assign_parts

SETS = {"bccd": "detection", "dsb2018": "instance", "clothing": "classification"}
SEEDS = 20


def labelled_images(root: Path, task: str) -> Dataset:
    """Return all labelled images of a raw root."""
    parts = [SPLIT_READERS[task](root, split) for split in ("gold", "val", "test", ORACLE)]
    return concatenate([part[0] for part in parts if part is not None])


def compare(dataset: Dataset, shares: list[float]) -> tuple[list[float], list[float]]:
    """Return the mean and the largest deviation of stratified parts, and of random parts."""
    distributions, count = distributions_of(dataset), len(dataset.images)
    borders = np.round(np.cumsum(shares) * count)
    values: dict[str, list[list[float]]] = {"stratified": [], "random": []}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        drawn = {"stratified": assign_parts(dataset, np.arange(count), shares, rng)}
        drawn["random"] = np.searchsorted(borders, rng.permutation(count), "right")
        for name, parts in drawn.items():
            # Two parts are a hold-out: only the smaller one counts. Otherwise all folds count.
            numbers = [1] if len(shares) == 2 else range(len(shares))
            differences = [
                difference
                for number in numbers
                for _, _, difference in deviations(distributions, parts == number)
            ]
            values[name].append([float(np.mean(differences)), max(differences)])
    return tuple(np.mean(values[name], axis=0).tolist() for name in ("stratified", "random"))


def main() -> None:
    """Split the data sets, and print their deviations."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    print(
        "| data | parts | mean, stratified | mean, random | ratio | largest, stratified | random |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, task in SETS.items():
        dataset = labelled_images(arguments.data / name, task)
        for label, shares in (("a fifth", [0.8, 0.2]), ("5 folds", [0.2] * 5)):
            stratified, random = compare(dataset, shares)
            ratio = stratified[0] / random[0]
            cells = [f"{stratified[0]:.4f}", f"{random[0]:.4f}", f"{ratio:.2f}"]
            cells += [f"{stratified[1]:.3f}", f"{random[1]:.3f}"]
            print(f"| {name} | {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
