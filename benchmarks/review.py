"""Is it worth a person's time? Reviewed images chosen in several ways, and what a round gains.

    python -m benchmarks.review                      # all data sets, 3 seeds: hours
    python -m benchmarks.review --data bccd --seeds 0 --count 20

The person is played by oracle.json, and never errs. For each data set and seed: a teacher on gold,
its silver; then some images of the pool get their true labels, chosen by doubt, diversity, both, at
random, or none at all. After that comes round 1: the same teacher labels the rest of the pool, and
a student is trained. Each row has the images of silver and the scores of the student. Rows that
are in the file of results are not measured again; finished models in the work folder are used.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.lift_arms import gold, loop
from benchmarks.lift_bench import Bench
from benchmarks.lift_cases import Case, read_cases
from pseudolabel.core.datasets import select_images
from pseudolabel.core.files import write_csv, written_aside
from pseudolabel.core.records import Images
from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.formats.silver_folder import DECISIONS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.features import backbone_features
from pseudolabel.raw.sample.labels import ORACLE
from pseudolabel.review import choice
from pseudolabel.review.labels import labelled_images, to_coco

KEY = ("data", "setting", "count", "reviewed", "seed")
WAYS = ("none", "random", "doubt", "diversity", "both")


def doubts_of(silver: Path, images: Images) -> NDArray[np.float32]:
    """Return the (n,) doubt of a filter about images of the pool."""
    table = pq.read_table(silver / DECISIONS, columns=["image_id", "reliability"])
    columns = (table.column(name).to_pylist() for name in ("image_id", "reliability"))
    values = dict(zip(*columns, strict=True))
    return np.array([1 - values[one] for one in images.ids.tolist()], np.float32)


def choose(bench: Bench, way: str, count: int, seed: int) -> list[str]:
    """Return the names of the images whose true labels a person gives."""
    prepared, first = bench.prepared(), bench.run("loop", 1).folder
    pool, labelled = (SplitFolder(prepared / split).read().images for split in ("pool", "gold"))
    doubts = doubts_of(first / "silver", pool)
    if way == "random":
        rows = choice.at_random(len(pool), count, seed)
    elif way == "doubt":
        rows = choice.most_doubtful(doubts, count)
    else:
        root, workers = bench.params.data.root / IMAGES, bench.params.data.workers
        both = Images.concatenate([pool, labelled])
        features = backbone_features(bench.run("gold").model, both, root, workers)
        own, known = features[: len(pool)], features[len(pool) :]
        if way == "diversity":
            rows = choice.most_diverse(own, known, count)
        else:
            rows = choice.doubtful_and_diverse(doubts, own, known, count)
    return [str(name) for name in pool.file_names[rows]]


def with_reviews(root: Path, output: Path, names: list[str]) -> None:
    """Copy a raw root, and add reviewed.json with the true labels of some images."""
    oracle = read_coco(root / f"{ORACLE}.json")
    chosen = select_images(oracle, np.isin(oracle.images.file_names, names))
    review = {name: {"reviewer": ORACLE, "round": 1} for name in names}
    with written_aside(output) as aside:
        shutil.copytree(root, aside)
        content = to_coco(labelled_images(chosen), chosen.categories, review)
        for row in content["annotations"]:
            row.pop("score", None)
        (aside / "reviewed.json").write_bytes(orjson.dumps(content))
        if (root / LABEL_MAPS).is_dir():
            for name in names:
                label_map = Path(name).with_suffix(".png")
                source = root / f"{ORACLE}_{LABEL_MAPS}" / label_map
                (aside / LABEL_MAPS / label_map).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, aside / LABEL_MAPS / label_map)


def measure(case: Case, work: Path, way: str, count: int, seed: int) -> dict[str, str]:
    """Return silver and scores after one round."""
    bench = case.bench(work, seed, sees_test=True)
    gold(bench)
    row = loop(bench, 1)
    silver = bench.run("loop", 1).folder / "silver"
    if way != "none":
        folder = work / case.name / case.setting / way / str(seed)
        if not (folder / "raw").exists():
            with_reviews(case.root, folder / "raw", choose(bench, way, count, seed))
        reviewed = replace(case, root=folder / "raw")
        again = Bench(reviewed.params(seed), folder, folder, sees_test=True)
        # The teacher is the same: the review comes between it and its student.
        teacher = again.run("gold").folder
        if not teacher.exists():
            shutil.copytree(bench.run("gold").folder, teacher)
        row = loop(again, 1)
        silver = again.run("loop", 1).folder / "silver"
    report = orjson.loads((silver / "report.json").read_bytes())
    metric = row["headline"][0]
    scores = {split: f"{row[split][metric]:.4f}" for split in ("val", "test")}
    return {"silver": str(report["images"]["out"]), **scores}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file of results; none if it does not exist."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def describe(rows: list[dict[str, str]]) -> str:
    """Return a table of the mean scores over seeds, and their mean gain over no review."""
    lines = ["| data | reviewed | seeds | val | test | gain on test |", "| --- " * 6 + "|"]
    for data in dict.fromkeys(row["data"] for row in rows):
        scores = {
            way: {
                row["seed"]: (float(row["val"]), float(row["test"]))
                for row in rows
                if (row["data"], row["reviewed"]) == (data, way)
            }
            for way in WAYS
        }
        for way, by_seed in scores.items():
            both = sorted(by_seed.keys() & scores["none"].keys())
            if both:
                val, test = np.mean([by_seed[seed] for seed in both], axis=0)
                gain = np.mean([by_seed[seed][1] - scores["none"][seed][1] for seed in both])
                line = f"| {data} | {way} | {len(both)} | {val:.4f} | {test:.4f} | {gain:+.4f} |"
                lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--data", nargs="+", help="some of the data sets in benchmarks/lift.yaml")
    parser.add_argument("--setting", choices=("scratch", "pretrained"), default="pretrained")
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    parser.add_argument("--count", type=int, default=50, help="images that a person labels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("lift"))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/review.csv"))
    asked = parser.parse_args()
    rows = read_rows(asked.results)
    for case in read_cases(asked.root, asked.work, asked.setting, asked.data):
        for seed, way in product(asked.seeds, asked.ways):
            values = (case.name, asked.setting, str(asked.count), way, str(seed))
            key = dict(zip(KEY, values, strict=True))
            if not any(key.items() <= row.items() for row in rows):
                rows.append(key | measure(case, asked.work, way, asked.count, seed))
                write_csv(asked.results, rows)
    print(describe([row for row in rows if row["setting"] == asked.setting]))


if __name__ == "__main__":
    main()
