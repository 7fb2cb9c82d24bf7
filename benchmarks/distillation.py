"""A small student with and without the silver of a larger, pretrained teacher, on real data.

    python -m benchmarks.distillation                    # clothing and bccd, 3 seeds: hours
    python -m benchmarks.distillation --data clothing --seeds 0

The teacher is an EfficientNet-Lite2 with packaged weights, fine-tuned on gold. Both students have
the same small model, iterations and random initial weights. One is trained on gold alone, the other
on gold and the teacher's silver. The program prints the sizes and scores of the teacher and the two
students for each seed. Finished models in the work folder are used again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.lift_arms import loop
from benchmarks.lift_cases import Case, read_cases
from pseudolabel.core.per_round import in_round
from pseudolabel.evaluation.history import Row
from pseudolabel.evaluation.score import score_model
from pseudolabel.training.train import train

MODELS = {
    "bccd": ("configs/detection/rtmdet_lite2.py", "configs/detection/rtmdet_tiny.py"),
    "clothing": ("configs/classification/lite2.py", "configs/classification/resnet18_tiny.py"),
}
"""The teacher and the student for each data set."""


def with_models(case: Case, *models: tuple[str, str | None]) -> Case:
    """Return a case with one config and one kind of initial weights per round."""
    configs, weights = zip(*models, strict=True)
    options = {"model.config": list(configs), "model.weights": list(weights)}
    return replace(case, options=case.options | options)


def format_score(row: Row, split: str) -> str:
    """Return the main metric of a row on a split, as text."""
    return f"{row[split][row['headline'][0]]:.4f}"


def compare(case: Case, work: Path, seed: int) -> str:
    """Train the teacher and both students of one seed; return a row of the table."""
    teacher_config, student_config = MODELS[case.name]
    both = with_models(case, (teacher_config, "backbone"), (student_config, None))
    bench = both.bench(work, seed, sees_test=True)
    prepared = bench.prepared()
    alone = bench.runs / "alone"
    if not alone.exists():
        single = with_models(case, (student_config, None))
        train(prepared, prepared, alone, in_round(single.params(seed), 0))
    student = loop(bench, 1)
    params = in_round(bench.params, 0)
    teacher = score_model(bench.run("gold").model, prepared, params).row
    cells = [case.name, str(seed)]
    for row in (teacher, score_model(alone, prepared, params).row, student):
        cells += [f"{row['weights_mb']:.2f}", format_score(row, "val"), format_score(row, "test")]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--data", choices=MODELS, nargs="+", default=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("distillation"))
    arguments = parser.parse_args()
    models = ("teacher", "student on gold", "student on gold and silver")
    columns = [f"{model} {value}" for model in models for value in ("MB", "val", "test")]
    print("|", " | ".join(["data", "seed", *columns]), "|")
    print("|", " | ".join(["---"] * (2 + len(columns))), "|", flush=True)
    for case in read_cases(arguments.root, arguments.work, "pretrained", arguments.data):
        for seed in arguments.seeds:
            print(compare(case, arguments.work, seed), flush=True)


if __name__ == "__main__":
    main()
