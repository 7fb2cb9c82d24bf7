"""A small student taught by a bigger teacher's silver, against the small one alone, on the sample.

    python -m benchmarks.distillation              # classification, 3 seeds: minutes

Both students have the same model, iterations and first weights: one has gold alone, one gold and
the silver of the teacher. Printed are the sizes and scores of all three, seed by seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.lift_arms import Bench, loop
from pseudolabel.engines.evaluating import judge
from pseudolabel.engines.training import train
from pseudolabel.history import Row
from pseudolabel.params.loading import load_params
from pseudolabel.params.sections import Params
from pseudolabel.tasks import TASKS

TASK = "classification"
TEACHER = "configs/classification/resnet18_small.py"
STUDENT = "configs/classification/resnet18_tiny.py"


def with_models(params: Params, *names: str) -> Params:
    """Return the parameters with a model for each round."""
    model = params.model.model_copy(update={"config": list(names)})
    return params.model_copy(update={"model": model})


def said(row: Row, split: str) -> str:
    """Return a row's main metric on a split."""
    return f"{row[split][row['headline'][0]]:.4f}"


def compare(root: Path, work: Path, seed: int) -> None:
    """Train the teacher, the student on its silver, and the student alone, and print a line."""
    params = load_params(task=TASK)
    data = params.data.model_copy(update={"root": root})
    params = params.model_copy(update={"data": data, "seed": seed})
    taught = with_models(params, TEACHER, STUDENT)
    bench = Bench(taught, work, work / str(seed), sees_test=True)
    prepared = bench.prepared()
    alone = work / str(seed) / "alone"
    train(prepared, prepared, alone, with_models(params, STUDENT).in_round(0))
    student = loop(bench, 1)
    teacher = judge(bench.run("gold").model, prepared, params).row
    single = judge(alone, prepared, params).row
    cells = [str(seed)]
    for row in (teacher, single, student):
        cells += [f"{row['weights_mb']:.2f}", said(row, "val"), said(row, "test")]
    print(" | ".join(cells), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    names = ("teacher", "student alone", "student taught")
    print(" | ".join(["seed", *(f"{it} {of}" for it in names for of in ("MB", "val", "test"))]))
    with TemporaryDirectory(dir=".") as folder:
        root = Path(folder) / "raw"
        TASKS[TASK].write_sample(root, load_params(task=TASK).sample)
        for seed in seeds:
            compare(root, Path(folder), seed)


if __name__ == "__main__":
    main()
