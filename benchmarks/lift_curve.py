"""Whether gold alone has stopped improving: val along the long training of benchmarks/lift.py.

    python -m benchmarks.lift_curve --work lift   # into benchmarks/results/lift_curve.csv

Rows of long trainings that the work folder does not have stay as they are.
Judges the weights that gold_long kept on its way, on val alone. They are running averages, but the
learning rate is still high where they come from: the last one, at its end, is the best of its kind.
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
from pseudolabel.engines.evaluating import predict_all
from pseudolabel.engines.predicting import TrainedModel, earlier_weights
from pseudolabel.files import read_json, write_csv
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.model_folder import CONFIG, RECORD, WEIGHTS
from pseudolabel.tasks import TASKS

RESULTS = Path("benchmarks/results/lift_curve.csv")


def curve(setting: Setting, work: Path, seed: int) -> list[dict[str, Any]]:
    """Return the main metric on val at each of the weights that a long training kept."""
    params, task = setting.params(seed), TASKS[setting.task]
    model = work / setting.name / f"seed_{seed}" / "gold_long" / "0" / "model"
    prepared = model.parents[3] / "prepared_without_test"
    if not prepared.exists():
        prepared = model.parents[3] / "prepared"
    truth = read_coco(prepared / "val" / FILE)
    total = read_json(model / RECORD)["iterations"]
    paths = [*earlier_weights(model), model / WEIGHTS]
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(paths, 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(model / CONFIG, folder / CONFIG)
            shutil.copy(path, folder / WEIGHTS)
            predictor = TrainedModel([folder], setting.root / IMAGES, params.evaluate)
            scorer = task.scorer(truth, prepared / "val", params)
            predict_all(predictor, truth.images, scorer)
        overall, _ = scorer.result()
        row = {"dataset": setting.name, "seed": seed, "iterations": total * number // len(paths)}
        rows.append(row | {"val": overall[task.headline[0]]})
    return rows


def main() -> None:
    """Judge all long trainings that are there."""
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
    there = {folder.name for folder in arguments.work.iterdir()}
    names = sorted(there & set(yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))))
    for setting in read_settings(arguments.root, arguments.work, names):
        for folder in sorted((arguments.work / setting.name).glob("seed_*/gold_long/0/model")):
            seed = int(folder.parts[-4].removeprefix("seed_"))
            kept = [row for row in rows if curve_of(row) != (setting.name, seed)]
            rows = kept + curve(setting, arguments.work, seed)
    rows.sort(key=curve_of)
    write_csv(arguments.out, rows)
    for row in rows:
        print(",".join(map(str, row.values())))


def curve_of(row: dict[str, Any]) -> tuple[str, int]:
    """Return the data set and the seed of a row."""
    return row["dataset"], int(row["seed"])


if __name__ == "__main__":
    main()
