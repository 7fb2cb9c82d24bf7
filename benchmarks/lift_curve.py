"""The score on val during the long training on gold of benchmarks/lift.py.

    python -m benchmarks.lift_curve --work lift   # into benchmarks/results/lift_curve.csv

It shows whether gold alone has stopped improving. The program scores the snapshots of gold_long on
val. All of them are running averages, but only the last one comes from the end, where the learning
rate is low. Rows of trainings that are not in the work folder stay unchanged.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.lift_cases import Case, read_cases, read_settings
from pseudolabel.core.files import read_json, write_csv
from pseudolabel.core.tasks import TASKS
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.score import score_images
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import CONFIG, RECORD, WEIGHTS, kept_weights
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.predictor import TrainedModels

RESULTS = Path("benchmarks/results/lift_curve.csv")


def curve(case: Case, work: Path, seed: int) -> list[dict[str, Any]]:
    """Return the main metric on val for each snapshot of a long training."""
    bench = case.bench(work, seed, sees_test=True)
    model = bench.run("gold_long").model
    val = SplitFolder(bench.prepared() / "val")
    truth = val.read()
    total = read_json(model / RECORD)["iterations"]
    paths = kept_weights(model)
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(paths, 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(model / CONFIG, folder / CONFIG)
            shutil.copy(path, folder / WEIGHTS)
            predictor = TrainedModels([folder], case.root / IMAGES, bench.params.evaluate)
            scorer = SCORERS[case.task](truth, val.path, bench.params)
            score_images(predictor, truth.images, scorer)
        overall, _ = scorer.result()
        rows.append(
            {
                "dataset": case.name,
                "setting": case.setting,
                "seed": seed,
                "iterations": total * number // len(paths),
                "val": overall[TASKS[case.task].headline[0]],
            }
        )
    return rows


def main() -> None:
    """Score all long trainings in the work folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("lift"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows = []
    if arguments.out.exists():
        with arguments.out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    known = read_settings()
    for setting in known["settings"]:
        names = [one for one in known["data"] if (arguments.work / one / setting).is_dir()]
        for case in read_cases(arguments.root, arguments.work, setting, names):
            seeds = (arguments.work / case.name / setting).glob("seed_*/gold_long/0/model")
            for seed in sorted(int(one.parts[-4].removeprefix("seed_")) for one in seeds):
                kept = [row for row in rows if curve_key(row) != (case.name, setting, seed)]
                rows = kept + curve(case, arguments.work, seed)
    rows.sort(key=curve_key)
    write_csv(arguments.out, rows)
    for row in rows:
        print(",".join(map(str, row.values())))


def curve_key(row: dict[str, Any]) -> tuple[str, str, int]:
    """Return the data set, the setting and the seed of a row."""
    return row["dataset"], row["setting"], int(row["seed"])


if __name__ == "__main__":
    main()
