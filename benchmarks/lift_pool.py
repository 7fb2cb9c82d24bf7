"""The scores of models of benchmarks/lift.py on the pool, for choosing a recipe.

    python -m benchmarks.lift --data dubai_aerial --val-only --arms gold loop
    python -m benchmarks.lift_pool --data dubai_aerial

The pool has many more images than val, so that chance counts less. Students were trained on silver
of these images, so their scores are not those on new images. The last weights of each training are
scored. Use the same --set as for benchmarks.lift.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.lift_bench import Bench
from benchmarks.lift_cases import cases_of
from pseudolabel.core.datasets import select_images
from pseudolabel.core.records import Dataset
from pseudolabel.evaluation import SCORERS
from pseudolabel.evaluation.score import score_images
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.predictions.predictor import TrainedModels

_SAW_TRUE_LABELS = ("oracle", "oracle_long")


def models(runs: Path) -> Iterator[tuple[str, int, Path]]:
    """Yield the arm, the round and the folder of the models that never saw the true labels."""
    for folder in sorted(runs.glob("*/*/model")):
        arm, number = folder.parts[-3:-1]
        if arm not in _SAW_TRUE_LABELS:
            yield arm, int(number), folder


def labelled_pool(bench: Bench) -> tuple[Dataset, Path]:
    """Return the images of the pool with their true labels, and the folder of their split."""
    pool = SplitFolder(bench.prepared() / "pool").read()
    split = SplitFolder(bench.prepared_with_all_labels() / "gold")
    dataset = split.read()
    known = np.isin(dataset.images.file_names, pool.images.file_names)
    return select_images(dataset, known), split.path


def score(model: Path, bench: Bench, truth: Dataset, split: Path) -> float:
    """Return the main metric of a model on some images of a split."""
    predictor = TrainedModels([model], bench.all_labels / IMAGES, bench.params.evaluate)
    scorer = SCORERS[bench.params.task](truth, split, bench.params)
    score_images(predictor, truth.images, scorer)
    overall, _ = scorer.result()
    return float(overall[scorer.main])


def main() -> None:
    """Print a table of all models in the work folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--task", help="the task of another raw root")
    parser.add_argument("--setting", choices=("scratch", "pretrained"), default="pretrained")
    parser.add_argument("--data", nargs="+", help="some of the data sets in benchmarks/lift.yaml")
    parser.add_argument("--work", type=Path, default=Path("lift"), help="the folder of the models")
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.set_defaults(gold=None, threshold=[])
    arguments = parser.parse_args()
    print("| data | seed | arm | round | pool |")
    print("| --- | --- | --- | --- | --- |")
    for case in cases_of(arguments):
        for runs in sorted((arguments.work / case.name / case.setting).glob("seed_*")):
            seed = int(runs.name.removeprefix("seed_"))
            bench = case.bench(arguments.work, seed, sees_test=False)
            truth, split = labelled_pool(bench)
            for arm, number, folder in models(runs):
                value = score(folder, bench, truth, split)
                print(f"| {case.name} | {seed} | {arm} | {number} | {value:.4f} |", flush=True)


if __name__ == "__main__":
    main()
