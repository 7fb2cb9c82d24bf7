"""The table, the intervals and the plot of the results of benchmarks/lift.py.

    python -m benchmarks.lift_table                                           # packaged weights
    python -m benchmarks.lift_table --setting scratch --plot docs/lift.svg    # random weights

The intervals are paired bootstraps over the images of test. All models of a data set are scored on
the same draws (benchmarks/lift_draws.py), and the difference of a draw is the mean over seeds. Data
sets without draws keep their intervals in benchmarks/results/lift_intervals.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from benchmarks.lift import RESULTS
from benchmarks.lift_draws import Key, draws_path, read_draws
from pseudolabel.core.files import write_csv
from pseudolabel.evaluation.bootstrap import percentile_interval

mpl.use("svg")
from matplotlib import pyplot as plt

LOOP, BEST = "loop", "loop, best round"
PEERS = ("soft_teacher", "fixmatch", "freematch", "unimatch")
INTERVAL = ("dataset", "setting", "over")
"""The key of an interval."""
ARMS = ("gold", "gold_long", "gold_augmented", *PEERS, BEST, "oracle", "oracle_long")


@dataclass(frozen=True)
class Result:
    """One row of the CSV."""

    dataset: str
    task: str
    setting: str
    arm: str
    seed: int
    number: int
    val: float
    test: float

    @property
    def key(self) -> Key:
        """The key of the model among the draws."""
        return self.dataset, self.setting, self.arm, self.seed, self.number


def read_results(path: Path, setting: str) -> list[Result]:
    """Return the rows of a setting in a CSV that have a score on test."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Result(
                row["dataset"],
                row["task"],
                row["setting"],
                row["arm"],
                int(row["seed"]),
                int(row["round"]),
                float(row["val"]),
                float(row["test"]),
            )
            for row in csv.DictReader(file)
            if row["test"] and row["setting"] == setting
        ]


def by_arm(results: Iterable[Result]) -> dict[str, dict[int, Result]]:
    """Return the results of each arm by seed; the loop has each round and the best round on val."""
    arms: dict[str, dict[int, Result]] = {}
    for result in results:
        loop = result.arm == LOOP
        name = f"loop, round {result.number}" if loop else result.arm
        arms.setdefault(name, {})[result.seed] = result
        if loop:
            best = arms.setdefault(BEST, {})
            current = best.get(result.seed)
            if current is None or (result.val, -result.number) > (current.val, -current.number):
                best[result.seed] = result
    return arms


def intervals(
    arms: dict[str, dict[int, Result]], draws: dict[Key, NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """Return the gain on test of the loop's best rounds over each other arm, with intervals.

    Arms without draws are left out.
    """
    rows = []
    best = arms.get(BEST, {})
    drawn = {
        (name, seed): draws[result.key]
        for name, results in arms.items()
        if name in ARMS
        for seed, result in results.items()
        if result.key in draws
    }
    for name in ARMS:
        seeds = [seed for arm, seed in drawn if arm == name and (BEST, seed) in drawn]
        if name == BEST or not seeds:
            continue
        gains = np.mean([drawn[BEST, seed] - drawn[name, seed] for seed in seeds], axis=0)
        low, high = percentile_interval(gains) or (None, None)
        gain = np.mean([best[seed].test - arms[name][seed].test for seed in seeds])
        first = best[seeds[0]]
        row = {"dataset": first.dataset, "setting": first.setting, "over": name}
        row["seeds"] = len(seeds)
        rows.append(row | {"gain": round(float(gain), 6), "low": low, "high": high})
    return rows


def read_intervals(path: Path) -> list[dict[str, Any]]:
    """Return the intervals of an earlier run."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def with_new_intervals(
    rows: list[dict[str, Any]], found: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return intervals with the new ones in place of those from as many seeds, or fewer."""
    old = {tuple(row[name] for name in INTERVAL): row for row in rows}
    for row in found:
        key = tuple(row[name] for name in INTERVAL)
        if key not in old or int(old[key]["seeds"]) <= row["seeds"]:
            old[key] = row
    return list(old.values())


def markdown_table(arms: dict[str, dict[int, Result]], gains: dict[str, dict[str, str]]) -> str:
    """Return the arms of a data set as a Markdown table."""
    names = sorted(arms, key=lambda name: (order_of(name), name))
    lines = [
        "| arm | seeds | val | test | loop minus this arm | 95% | share of the gap |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    floor, ceiling = (
        np.mean([result.test for result in arms[name].values()]) if name in arms else np.nan
        for name in ("gold", "oracle")
    )
    for name in names:
        results = list(arms[name].values())
        test = np.array([result.test for result in results])
        share = ""
        if name not in ("gold", "oracle", "oracle_long") and not np.isnan(ceiling - floor):
            share = f"{(test.mean() - floor) / (ceiling - floor):.0%}"
        gain = gains.get(name)
        value = f"{float(gain['gain']):+.4f}" if gain else ""
        interval = f"{float(gain['low']):+.4f} to {float(gain['high']):+.4f}" if gain else ""
        val = spread([result.val for result in results])
        cells = [name, str(len(results)), val, spread(test), value, interval, share]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def order_of(name: str) -> float:
    """Return the position of an arm in the table: rounds come before the best round."""
    return ARMS.index(name) if name in ARMS else ARMS.index(BEST) - 0.5


def spread(values: Any) -> str:
    """Return the mean and the standard deviation over seeds."""
    values = np.asarray(values)
    deviation = f" ± {values.std(ddof=1):.4f}" if len(values) > 1 else ""
    return f"{values.mean():.4f}{deviation}"


def draw(all_arms: dict[str, dict[str, dict[int, Result]]], path: Path) -> None:
    """Draw the test scores of each arm: one dot per seed, one panel per data set."""
    mpl.rcParams["svg.hashsalt"] = "lift"
    figure, axes = plt.subplots(1, len(all_arms), figsize=(3.2 * len(all_arms), 3.6), squeeze=False)
    for axis, (dataset, arms) in zip(axes[0], all_arms.items(), strict=True):
        names = [name for name in ARMS if name in arms]
        for row, name in enumerate(names):
            scores = [result.test for result in arms[name].values()]
            color = "tab:orange" if name == BEST else "tab:blue"
            axis.plot(scores, [row] * len(scores), "o", color=color, alpha=0.6)
            axis.plot([np.mean(scores)], [row], "|", color="black", markersize=18)
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        axis.set_title(dataset)
        axis.set_xlabel("test")
        axis.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the tables, and write the intervals and the plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--setting", choices=("scratch", "pretrained"), default="pretrained")
    parser.add_argument("--plot", type=Path, help="an SVG file to draw")
    arguments = parser.parse_args()
    results = read_results(arguments.results, arguments.setting)
    datasets = dict.fromkeys(result.dataset for result in results)
    all_arms = {
        name: by_arm(result for result in results if result.dataset == name) for name in datasets
    }
    path = arguments.results.with_name(f"{arguments.results.stem}_intervals.csv")
    rows = read_intervals(path)
    draws = read_draws(draws_path(arguments.results))
    for arms in all_arms.values():
        rows = with_new_intervals(rows, intervals(arms, draws))
    if rows:
        write_csv(path, sorted(rows, key=lambda row: (row["setting"], row["dataset"])))
    for name, arms in all_arms.items():
        chosen = [row for row in rows if row["setting"] == arguments.setting]
        gains = {row["over"]: row for row in chosen if row["dataset"] == name}
        print(f"### {name}\n\n{markdown_table(arms, gains)}\n")
    if arguments.plot and all_arms:
        draw(all_arms, arguments.plot)


if __name__ == "__main__":
    main()
