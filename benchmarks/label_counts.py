"""How many labels are needed: test scores with fewer and with more gold images.

    python -m benchmarks.label_counts   # reads benchmarks/results

Each row of the table is one data set with one number of gold images. The round of the loop is the
best one on val. Scores are means over the seeds.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

RESULTS = Path("benchmarks/results")
SETTING = "scratch"
RUNS = (
    ("bccd", 10, "lift_bccd_10.csv"),
    ("bccd", 20, "lift_bccd_20.csv"),
    ("bccd", 40, "lift.csv"),
    ("dubai_aerial", 20, "lift.csv"),
    ("dubai_aerial", 84, "lift_dubai_84.csv"),
    ("dsb2018", 8, "lift.csv"),
    ("clothing", 300, "lift.csv"),
)
"""Data set, gold images, and the CSV of benchmarks/lift.py."""


def scores(path: Path, dataset: str) -> dict[str, list[float]]:
    """Return the test score of each seed, by arm; of the loop, the best round on val."""
    best: dict[tuple[str, str], tuple[float, float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["dataset"], row["setting"]) == (dataset, SETTING):
                key = row["arm"], row["seed"]
                best[key] = max(best.get(key, (-1.0, 0.0)), (float(row["val"]), float(row["test"])))
    found = defaultdict(list)
    for (arm, _), (_, test) in sorted(best.items()):
        found[arm].append(test)
    return found


def main() -> None:
    """Print the table."""
    print("| data | gold images | seeds | gold alone | loop | gain | all labels |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for dataset, count, name in RUNS:
        found = scores(RESULTS / name, dataset)
        gold, loop = np.mean(found["gold"]), np.mean(found["loop"])
        complete = found["oracle"] or scores(RESULTS / "lift.csv", dataset)["oracle"]
        print(
            f"| {dataset} | {count} | {len(found['loop'])} | {gold:.3f} | {loop:.3f} "
            f"| {loop - gold:+.3f} | {np.mean(complete):.3f} |"
        )


if __name__ == "__main__":
    main()
