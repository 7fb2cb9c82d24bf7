"""How far splits are from the whole: stratified ones against plain random ones.

    python -m benchmarks.split_deviation   # as in docs/benchmarks.md

Takes all labelled images of a data set (gold, val, test and the oracle), splits a fifth off and
cuts five folds, once for each of 20 seeds, and prints the mean over all bins of the difference
between a part's share and the whole's, and the mean over seeds of the largest one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pseudolabel.datasets import joined
from pseudolabel.distributions import deviations, distributions_of
from pseudolabel.records import Dataset
from pseudolabel.sample.writing import ORACLE
from pseudolabel.split import assign_parts
from pseudolabel.tasks import TASKS

SETS = {"bccd": "detection", "dsb2018": "instance", "clothing": "classification"}
SEEDS = 20


def labelled(root: Path, task: str) -> Dataset:
    """Return all labelled images of a raw root."""
    parts = [TASKS[task].read_split(root, it, None) for it in ("gold", "val", "test", ORACLE)]
    datasets = [part[0] for part in parts if part is not None]
    whole = datasets[0]
    for dataset in datasets[1:]:
        whole = joined(whole, dataset)
    return whole


def compare(dataset: Dataset, shares: list[float]) -> tuple[list[float], list[float]]:
    """Return mean and largest deviation of stratified parts, and of random ones."""
    found, count = distributions_of(dataset), len(dataset.images)
    ends = np.round(np.cumsum(shares) * count)
    values: dict[str, list[list[float]]] = {"stratified": [], "random": []}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        drawn = {"stratified": assign_parts(dataset, np.arange(count), shares, rng)}
        drawn["random"] = np.searchsorted(ends, rng.permutation(count), "right")
        for name, parts in drawn.items():
            # Of a hold-out, the part that is held out; of folds, each of them.
            numbers = [1] if len(shares) == 2 else range(len(shares))
            rows = [it for part in numbers for it in deviations(found, parts == part)]
            differences = [difference for _, _, difference in rows]
            values[name].append([float(np.mean(differences)), max(differences)])
    return tuple(np.mean(values[name], axis=0).tolist() for name in ("stratified", "random"))


def main() -> None:
    """Split, compare, print."""
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
        dataset = labelled(arguments.data / name, task)
        for label, shares in (("a fifth", [0.8, 0.2]), ("5 folds", [0.2] * 5)):
            ours, random = compare(dataset, shares)
            cells = [f"{ours[0]:.4f}", f"{random[0]:.4f}", f"{ours[0] / random[0]:.2f}"]
            cells += [f"{ours[1]:.3f}", f"{random[1]:.3f}"]
            print(f"| {name} | {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
