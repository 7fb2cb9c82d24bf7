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

import yaml

from benchmarks.lift import SETTINGS, Setting, read_settings
from pseudolabel.core.files import read_json, write_csv
from pseudolabel.core.tasks import TASKS
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.evaluate import score_images
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.model_folder import CONFIG, RECORD, WEIGHTS, kept_weights
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.predictor import TrainedModels

RESULTS = Path("benchmarks/results/lift_curve.csv")


def curve(setting: Setting, work: Path, seed: int) -> list[dict[str, Any]]:
    """Return the main metric on val for each snapshot of a long training."""
    params = setting.params(seed)
    model = work / setting.name / f"seed_{seed}" / "gold_long" / "0" / "model"
    prepared = model.parents[3] / "prepared_without_test"
    if not prepared.exists():
        prepared = model.parents[3] / "prepared"
    val = SplitFolder(prepared / "val")
    truth = val.read()
    total = read_json(model / RECORD)["iterations"]
    paths = kept_weights(model)
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(paths, 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(model / CONFIG, folder / CONFIG)
            shutil.copy(path, folder / WEIGHTS)
            predictor = TrainedModels([folder], setting.root / IMAGES, params.evaluate)
            scorer = SCORERS[setting.task](truth, val.path, params)
            score_images(predictor, truth.images, scorer)
        overall, _ = scorer.result()
        row = {"dataset": setting.name, "seed": seed, "iterations": total * number // len(paths)}
        rows.append(row | {"val": overall[TASKS[setting.task].headline[0]]})
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
    existing = {folder.name for folder in arguments.work.iterdir()}
    names = sorted(existing & set(yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))))
    for setting in read_settings(arguments.root, arguments.work, names):
        for folder in sorted((arguments.work / setting.name).glob("seed_*/gold_long/0/model")):
            seed = int(folder.parts[-4].removeprefix("seed_"))
            kept = [row for row in rows if curve_key(row) != (setting.name, seed)]
            rows = kept + curve(setting, arguments.work, seed)
    rows.sort(key=curve_key)
    write_csv(arguments.out, rows)
    for row in rows:
        print(",".join(map(str, row.values())))


def curve_key(row: dict[str, Any]) -> tuple[str, int]:
    """Return the data set and the seed of a row."""
    return row["dataset"], int(row["seed"])


if __name__ == "__main__":
    main()
