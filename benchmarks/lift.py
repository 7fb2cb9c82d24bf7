"""Compare the loop with other ways to train a model, called arms, on real data.

    python -m benchmarks.lift                     # all data sets in ../shared/data, 3 seeds: hours
    python -m benchmarks.lift --quick             # one seed
    python -m benchmarks.lift --data bccd         # one data set; processes can run in parallel
    python -m benchmarks.lift --setting scratch   # from random weights, not from packaged ones
    python -m benchmarks.lift --task detection --root my_data --out my_lift.csv

The arms are: gold alone, for the iterations of one round (gold) or of all rounds (gold_long); the
rounds 1 to 3 of the loop; all true labels (oracle); online methods (soft_teacher for detection,
fixmatch and freematch for classification, unimatch for pixels). Each arm is a row of the CSV. Rows
in the CSV are not computed again, so that a killed run resumes. Models and silver stay in the work
folder. benchmarks/lift_table.py makes a table.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks.lift_arms import WITH_THRESHOLD, Arm, arms_of, silver_counts
from benchmarks.lift_bench import Bench
from benchmarks.lift_cases import Case, cases_of
from benchmarks.lift_draws import append_draws, draws_path, score_draws
from pseudolabel.core.errors import plain_errors
from pseudolabel.core.files import read_json, write_json
from pseudolabel.evaluation.history import main_score

COST = "cost.json"
RESULTS = Path("benchmarks/results/lift.csv")
KEY = ("dataset", "setting", "arm", "seed", "round")
COLUMNS = (
    "dataset",
    "task",
    *KEY[1:],
    "val",
    "test",
    "silver_images",
    "silver_annotations",
    "seconds",
    "peak_mb",
    "commit",
)


def existing_rows(path: Path, sees_test: bool) -> set[tuple[str, ...]]:
    """Return data set, setting, arm, seed and round of the rows in a CSV.

    If models are scored on test, rows without such a score do not count.
    """
    if not path.exists():
        return set()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {tuple(row[name] for name in KEY) for row in rows if row["test"] or not sees_test}


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row to a CSV in one write, so that several processes can do it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if not file.tell():
            file.write(",".join(COLUMNS) + "\n")
        file.write(",".join(str(row[column]) for column in COLUMNS) + "\n")


def commit() -> str:
    """Return the commit of the code, with a + if the code has uncommitted changes."""
    run = ["git", "describe", "--always", "--dirty=+", "--abbrev=9", "--exclude=*"]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


def measure(arm: Arm, bench: Bench, folder: Path) -> dict[str, Any]:
    """Run an arm and return its scores and its costs; costs are those of the first run."""
    start = time.perf_counter()
    with plain_errors():
        row = arm(bench)
    scores = {split: main_score(row, split) for split in ("val", "test")}
    silver = silver_counts(row)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 2**20
    seconds = round(time.perf_counter() - start)
    cost = folder / COST
    if not cost.exists():
        write_json(cost, {"seconds": seconds, "peak_mb": round(peak), "commit": commit()})
    return {
        **{split: "" if score is None else score for split, score in scores.items()},
        "silver_images": silver["images"],
        "silver_annotations": silver["annotations"],
        **read_json(cost),
    }


def missing_rows(
    cases: list[Case], arguments: argparse.Namespace
) -> Iterator[tuple[dict[str, Any], Arm, Bench]]:
    """Yield the rows that are missing in the CSV, seed by seed, with their arm and bench."""
    done = existing_rows(arguments.out, sees_test=not arguments.val_only)
    for seed in arguments.seeds[: 1 if arguments.quick else None]:
        for case in cases:
            bench = case.bench(arguments.work, seed, sees_test=not arguments.val_only)
            for arm, number, function in arms_of(case.task):
                key = (case.name, case.setting, arm, str(seed), str(number))
                if key not in done and (not arguments.arms or arm in arguments.arms):
                    yield dict(zip(KEY, key, strict=True)) | {"task": case.task}, function, bench


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add(
        "--root",
        type=Path,
        default=Path("../shared/data"),
        help="folder of data sets; with --task, one data set",
    )
    add("--task", help="the task of another raw root, which needs an oracle.json")
    add("--setting", choices=("scratch", "pretrained"), default="pretrained")
    add("--data", nargs="+", help="some of the data sets in benchmarks/lift.yaml")
    add("--arms", nargs="+", help="some of the arms")
    add(
        "--gold",
        type=int,
        help="the number of gold images; the others join the pool; use another --out and --work",
    )
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--quick", action="store_true", help="only the first seed")
    add("--out", type=Path, default=RESULTS, help="the CSV to add rows to")
    add("--work", type=Path, default=Path("lift"), help="the folder for models and silver")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--val-only", action="store_true", help="do not use test: for experiments")
    add(
        "--set",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="another value of a parameter, by its dotted name; use another --out and --work",
    )
    add(
        "--threshold",
        nargs=2,
        action="append",
        default=[],
        metavar=("ARM", "VALUE"),
        help="the threshold of an online method; use another --out and --work",
    )
    arguments = parser.parse_args()
    if (arguments.set or arguments.threshold or arguments.gold) and arguments.out == RESULTS:
        parser.error("--set, --threshold and --gold need another --out and --work")
    unknown = {name for name, _ in arguments.threshold} - set(WITH_THRESHOLD)
    if unknown:
        parser.error(f"--threshold: expected {', '.join(WITH_THRESHOLD)}, found {unknown.pop()}")
    return arguments


def main() -> None:
    """Compute the missing rows."""
    arguments = parse_arguments()
    if arguments.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    # One process per row, so that its peak memory is the row's. It is forked, because imports take
    # as long as a short training, and the parent process computes nothing.
    context = get_context("spawn" if arguments.device == "cuda" else "fork")
    for key, arm, bench in missing_rows(cases_of(arguments), arguments):
        print(" ".join(f"{name}={value}" for name, value in key.items()), file=sys.stderr)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            folder = bench.run(key["arm"], int(key["round"])).folder
            row = key | pool.submit(measure, arm, bench, folder).result()
            if not arguments.val_only:
                number = int(key["round"])
                scores = pool.submit(score_draws, bench, key["arm"], number).result()
                model = key["dataset"], key["setting"], key["arm"], int(key["seed"]), number
                append_draws(draws_path(arguments.out), model, scores)
        append(arguments.out, row)
        print(",".join(str(row[column]) for column in COLUMNS), flush=True)


if __name__ == "__main__":
    main()
