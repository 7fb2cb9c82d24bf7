"""How many labels are needed: test scores with fewer and with more gold images.

    python -m benchmarks.label_counts --plot docs/label_counts.svg   # from packaged weights
    python -m benchmarks.label_counts --setting scratch              # from random weights

The scores are those of benchmarks/lift.py in benchmarks/results. Each row of the table is one data
set with one number of gold images. The round of the loop is the best one on val. Scores are means
over the seeds. Numbers without scores are left out.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.lift_bench import ROUNDS
from benchmarks.lift_table import LOOP

mpl.use("svg")
from matplotlib import pyplot as plt

RESULTS = Path("benchmarks/results")
RUNS = {
    "scratch": (
        ("bccd", 10, "lift_bccd_10.csv"),
        ("bccd", 20, "lift_bccd_20.csv"),
        ("bccd", 40, "lift.csv"),
        ("dubai_aerial", 20, "lift.csv"),
        ("dubai_aerial", 84, "lift_dubai_84.csv"),
        ("dsb2018", 8, "lift.csv"),
        ("clothing", 300, "lift.csv"),
    ),
    "pretrained": (
        ("bccd", 10, "lift_bccd_10.csv"),
        ("bccd", 20, "lift_bccd_20.csv"),
        ("bccd", 40, "lift.csv"),
        ("bccd", 80, "lift_bccd_80.csv"),
        ("bccd", 160, "lift_bccd_160.csv"),
        ("clothing", 10, "lift_clothing_10.csv"),
        ("clothing", 20, "lift_clothing_20.csv"),
        ("clothing", 40, "lift_clothing_40.csv"),
        ("clothing", 80, "lift_clothing_80.csv"),
        ("clothing", 160, "lift_clothing_160.csv"),
        ("clothing", 300, "lift.csv"),
    ),
}
"""By setting: data set, gold images, and the CSV of benchmarks/lift.py."""


@dataclass(frozen=True)
class Scores:
    """The mean test scores of a data set with one number of gold images."""

    dataset: str
    count: int
    seeds: int
    gold: float
    loop: float
    oracle: float


def scores_by_arm(path: Path, dataset: str, setting: str) -> dict[str, dict[int, float]]:
    """Return the test score of each arm by seed; of the loop, the best round on val.

    Seeds whose loop has not ended are left out.
    """
    found: dict[str, dict[int, list[tuple[float, int, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if (row["dataset"], row["setting"]) == (dataset, setting) and row["test"]:
                    score = float(row["val"]), -int(row["round"]), float(row["test"])
                    found[row["arm"]][int(row["seed"])].append(score)
    return {
        arm: {
            seed: max(scores)[-1]
            for seed, scores in seeds.items()
            if arm != LOOP or len(scores) == ROUNDS
        }
        for arm, seeds in found.items()
    }


def read_scores(setting: str) -> list[Scores]:
    """Return the scores of each data set and number of gold images that has them."""
    rows = []
    for dataset, count, name in RUNS[setting]:
        arms = scores_by_arm(RESULTS / name, dataset, setting)
        complete = scores_by_arm(RESULTS / "lift.csv", dataset, setting)
        oracle = arms.get("oracle") or complete.get("oracle") or {}
        gold, loop = (arms.get(arm, {}) for arm in ("gold", LOOP))
        seeds = sorted(gold.keys() & loop.keys())
        if seeds:
            means = (float(np.mean([scores[seed] for seed in seeds])) for scores in (gold, loop))
            ceiling = float(np.mean(list(oracle.values()))) if oracle else float("nan")
            rows.append(Scores(dataset, count, len(seeds), *means, ceiling))
    return rows


def markdown_table(rows: Sequence[Scores]) -> str:
    """Return the scores as a Markdown table."""
    lines = [
        "| data | gold images | seeds | gold alone | loop | gain | all labels |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        gain = row.loop - row.gold
        all_labels = "" if np.isnan(row.oracle) else f"{row.oracle:.3f}"
        lines.append(
            f"| {row.dataset} | {row.count} | {row.seeds} | {row.gold:.3f} | {row.loop:.3f} "
            f"| {gain:+.3f} | {all_labels} |"
        )
    return "\n".join(lines)


def draw(rows: Sequence[Scores], path: Path) -> None:
    """Draw gold alone and the loop over the number of gold images, one panel per data set."""
    mpl.rcParams["svg.hashsalt"] = "label_counts"
    names = list(dict.fromkeys(row.dataset for row in rows))
    figure, axes = plt.subplots(1, len(names), figsize=(4 * len(names), 3.4), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        chosen = [row for row in rows if row.dataset == name]
        counts = [row.count for row in chosen]
        axis.plot(counts, [row.gold for row in chosen], "o-", color="tab:blue", label="gold alone")
        axis.plot(counts, [row.loop for row in chosen], "o-", color="tab:orange", label="loop")
        axis.set_xscale("log", base=2)
        axis.set_xticks(counts, counts)
        axis.set_title(name)
        axis.set_xlabel("labelled images")
        axis.set_ylabel("test")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the table, and draw it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--setting", choices=tuple(RUNS), default="pretrained")
    parser.add_argument("--plot", type=Path, help="an SVG file to draw")
    arguments = parser.parse_args()
    rows = read_scores(arguments.setting)
    print(markdown_table(rows))
    if arguments.plot and rows:
        draw(rows, arguments.plot)


if __name__ == "__main__":
    main()
