"""Is a model trained by the loop better than one without it, at the same cost? Arms on real data.

    python -m benchmarks.lift                     # all data sets of ../shared/data, 3 seeds: hours
    python -m benchmarks.lift --quick             # one seed
    python -m benchmarks.lift --data bccd         # one data set; several processes may run at once
    python -m benchmarks.lift --task detection --root my_data --out my_lift.csv

Arms: gold alone for a round's iterations (gold) and for those of all rounds (gold_long), rounds 1
to 3 of the loop, mmdet's SoftTeacher (soft_teacher, detection only), and all true labels (oracle).
Each is a row of the CSV; rows that are there are not computed again, so that a run that was killed
goes on where it was. Models and silver stay in the work folder. benchmarks/lift_table.py makes the
table of the rows.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.dubai_aerial import copy_with_ids
from benchmarks.fewer_gold import fewer_gold
from benchmarks.lift_arms import Arm, Bench, arms_of, silver_of
from benchmarks.shrink import shrink
from pseudolabel.errors import plain_errors
from pseudolabel.files import read_json, write_json
from pseudolabel.history import main_score
from pseudolabel.params.loading import changed, load_params
from pseudolabel.params.sections import Params

SETTINGS = Path("benchmarks/lift.yaml")
COST = "cost.json"
RESULTS = Path("benchmarks/results/lift.csv")
COLUMNS = (
    "dataset",
    "task",
    "arm",
    "seed",
    "round",
    "val",
    "test",
    "silver_images",
    "silver_annotations",
    "seconds",
    "peak_mb",
    "commit",
)


@dataclass(frozen=True)
class Setting:
    """A data set, and the parameters that differ from the defaults of its task."""

    name: str
    task: str
    root: Path
    options: dict[str, Any]

    def params(self, seed: int) -> Params:
        """Return all parameters with a seed."""
        own = {"seed": seed, "data.root": self.root}
        return changed(load_params(task=self.task), self.options | own)


def settings_of(arguments: argparse.Namespace) -> list[Setting]:
    """Return what is to be measured."""
    extra = {name: yaml.safe_load(value) for name, value in arguments.set}
    if arguments.task:
        root = arguments.root
        return [Setting(root.resolve().name, arguments.task, root, extra)]
    return read_settings(arguments.root, arguments.work, arguments.data, extra)


def read_settings(
    root: Path, work: Path, names: list[str] | None = None, extra: dict[str, Any] | None = None
) -> list[Setting]:
    """Return the settings of some data sets below a root, all of them where none is named."""
    wanted = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    settings = []
    for name in names or wanted:
        own = wanted[name]
        raw = copied(root / name, work / name / "raw", own)
        settings.append(Setting(name, own["task"], raw, own["options"] | (extra or {})))
    return settings


def copied(source: Path, output: Path, own: dict[str, Any]) -> Path:
    """Return a raw root as it is to be read: with ids for greys, shrunk, with fewer gold labels."""
    steps: list[Callable[[Path, Path], object]] = []
    if source.name == "dubai_aerial":
        steps.append(copy_with_ids)
    if "longest" in own:
        steps.append(partial(shrink, longest=own["longest"]))
    if "gold" in own:
        steps.append(partial(fewer_gold, count=own["gold"]))
    if output.exists() or not steps:
        return output if steps else source
    with tempfile.TemporaryDirectory() as scratch:
        for number, step in enumerate(steps[:-1]):
            step(source, Path(scratch) / str(number))
            source = Path(scratch) / str(number)
        steps[-1](source, output)
    return output


def rows_there(path: Path) -> set[tuple[str, ...]]:
    """Return dataset, arm, seed and round of the rows that a CSV has."""
    if not path.exists():
        return set()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["dataset"], row["arm"], row["seed"], row["round"]) for row in rows}


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row to a CSV in one write, so that several processes may do so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if not file.tell():
            file.write(",".join(COLUMNS) + "\n")
        file.write(",".join(str(row[column]) for column in COLUMNS) + "\n")


def commit() -> str:
    """Return the commit that the code is of, with a + where it was changed since."""
    run = ["git", "describe", "--always", "--dirty=+", "--abbrev=9", "--exclude=*"]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


def measured(arm: Arm, bench: Bench, folder: Path) -> dict[str, Any]:
    """Return what an arm gives, and what it cost when its model was trained, into `folder`."""
    start = time.perf_counter()
    with plain_errors():
        row = arm(bench)
    scores = {split: main_score(row, split) for split in ("val", "test")}
    silver = silver_of(row)
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


def missing(
    settings: list[Setting], arguments: argparse.Namespace
) -> Iterator[tuple[dict[str, Any], Arm, Bench]]:
    """Yield the rows that the CSV lacks, seed by seed, with the arm and the bench of each."""
    there = rows_there(arguments.out)
    for seed in arguments.seeds[: 1 if arguments.quick else None]:
        for setting in settings:
            data = arguments.work / setting.name
            runs = data / f"seed_{seed}"
            bench = Bench(setting.params(seed), data, runs, sees_test=not arguments.val_only)
            for arm, number, function in arms_of(setting.task):
                key = (setting.name, arm, str(seed), str(number))
                if key not in there and (not arguments.arms or arm in arguments.arms):
                    names = ("dataset", "arm", "seed", "round")
                    row = dict(zip(names, key, strict=True)) | {"task": setting.task}
                    yield row, function, bench


def parse() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("../shared/data"), help="data sets, or with --task: one")
    add("--task", help="of a raw root of your own that has an oracle.json")
    add("--data", nargs="+", help="some of the data sets in benchmarks/lift.yaml")
    add("--arms", nargs="+", help="some of the arms")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--quick", action="store_true", help="the first seed alone")
    add("--out", type=Path, default=RESULTS, help="the CSV to add rows to")
    add("--work", type=Path, default=Path("lift"), help="the folder for models and silver")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--val-only", action="store_true", help="do not look at test: for trying things out")
    add(
        "--set",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="another value of a parameter, by its dotted name; take another --out and --work",
    )
    return parser.parse_args()


def main() -> None:
    """Compute the rows that are missing."""
    arguments = parse()
    if arguments.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    # A process of its own for each row: its peak memory is that of the row. Forked, as importing
    # takes as long as a short training; nothing is computed here that a fork could not carry.
    context = get_context("spawn" if arguments.device == "cuda" else "fork")
    for key, arm, bench in missing(settings_of(arguments), arguments):
        print(" ".join(f"{name}={value}" for name, value in key.items()), file=sys.stderr)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            folder = bench.run(key["arm"], int(key["round"])).folder
            row = key | pool.submit(measured, arm, bench, folder).result()
        append(arguments.out, row)
        print(",".join(str(row[column]) for column in COLUMNS), flush=True)


if __name__ == "__main__":
    main()
