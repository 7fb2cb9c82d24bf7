"""A small student with and without the silver of a larger teacher, on the sample.

    python -m benchmarks.distillation              # classification, 3 seeds: minutes

Both students have the same model, iterations and initial weights. One is trained on gold alone,
the other on gold and the teacher's silver. The program prints the sizes and scores of the teacher
and the two students for each seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.lift_arms import Bench, loop
from benchmarks.preset_params import preset_params
from pseudolabel.core.per_round import in_round
from pseudolabel.evaluation.history import Row
from pseudolabel.evaluation.score import score_model
from pseudolabel.params.common import Params
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.training.train import train

TASK = "classification"
TEACHER = "configs/classification/resnet18_small.py"
STUDENT = "configs/classification/resnet18_tiny.py"


def with_models(params: Params, *names: str) -> Params:
    """Return the parameters with one model per round."""
    model = params.model.model_copy(update={"config": list(names)})
    return params.model_copy(update={"model": model})


def format_score(row: Row, split: str) -> str:
    """Return the main metric of a row on a split, as text."""
    return f"{row[split][row['headline'][0]]:.4f}"


def compare(root: Path, work: Path, seed: int) -> None:
    """Train the teacher and both students of one seed, and print a line."""
    params = preset_params(TASK, {"data.root": root, "seed": seed})
    both = with_models(params, TEACHER, STUDENT)
    bench = Bench(both, work, work / str(seed), sees_test=True)
    prepared = bench.prepared()
    alone = work / str(seed) / "alone"
    train(prepared, prepared, alone, in_round(with_models(params, STUDENT), 0))
    student = loop(bench, 1)
    teacher = score_model(bench.run("gold").model, prepared, params).row
    single = score_model(alone, prepared, params).row
    cells = [str(seed)]
    for row in (teacher, single, student):
        cells += [f"{row['weights_mb']:.2f}", format_score(row, "val"), format_score(row, "test")]
    print(" | ".join(cells), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    models = ("teacher", "student on gold", "student on gold and silver")
    columns = [f"{model} {value}" for model in models for value in ("MB", "val", "test")]
    print(" | ".join(["seed", *columns]))
    with TemporaryDirectory(dir=".") as folder:
        root = Path(folder) / "raw"
        SAMPLES[TASK](root, preset_params(TASK).sample)
        for seed in seeds:
            compare(root, Path(folder), seed)


if __name__ == "__main__":
    main()
