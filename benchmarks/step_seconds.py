"""Print parameters, size of the weights and seconds per training step of the small configs.

    python -m benchmarks.step_seconds                    # all tasks, on the generated sample
    python -m benchmarks.step_seconds --task semantic

Images have the sizes of benchmarks/lift.yaml, and a step takes eight of them. Seconds are those of
the processor, on one thread: the median over the steps after the first four.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from mmengine.hooks import Hook

from benchmarks.lift_cases import read_settings
from benchmarks.preset_params import preset_params
from pseudolabel.core.per_round import in_round
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.params.common import Params
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import build_runner

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {
    "detection": ("rtmdet_small", "rtmdet_lite0"),
    "instance": ("rtmdet_ins_small", "rtmdet_ins_lite0"),
    "semantic": ("unet_small", "fpn_small", "fpn_lite0"),
    "classification": ("resnet18_small", "lite0"),
}
BATCH_SIZE = 8
FIRST_STEPS = 4


class StepTimes(Hook):  # type: ignore[misc]
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def after_train_iter(self, *_args: object, **_options: object) -> None:
        """Note the time."""
        self.ends.append(time.process_time())

    def seconds(self) -> float:
        """Return the median time of the steps after the first ones."""
        later = self.ends[FIRST_STEPS - 1 :]
        return median(end - start for start, end in pairwise(later))


def measure(task: str, steps: int, folder: Path) -> list[str]:
    """Return a row of a table for each config of a task.

    Args:
        task: the task.
        steps: training steps per config.
        folder: an empty folder for the sample and the checkpoints.
    """
    (options,) = [
        values["scratch"]["options"]
        for values in read_settings()["data"].values()
        if values["task"] == task
    ]
    sizes = {key: options[key] for key in ("model.image_size", "train.crop") if key in options}
    width, height = sizes["model.image_size"]
    raw, prepared = folder / "raw", folder / "prepared"
    sample = Sample(seed=0, gold=12, val=4, test=3, pool=4, width=width, height=height)
    SAMPLES[task](raw, sample)
    rows = []
    for name in CONFIGS[task]:
        path = f"configs/{task}/{name}.py"
        more = {"data.root": str(raw), "model.config": path, "model.weights": None}
        more |= {"train.batch_size": BATCH_SIZE, "train.iterations": steps}
        more |= {"train.warmup_iterations": 0}
        params = in_round(preset_params(f"sample_{task}", sizes | more), 0)
        if not rows:
            prepare(raw, prepared, task, params.prepare, 0)
        size = "x".join(map(str, sizes.get("train.crop", sizes["model.image_size"])))
        rows.append(f"| `{path}` | {size} | {_train(params, prepared, folder / name)} |")
    return rows


def _train(params: Params, prepared: Path, scratch: Path) -> str:
    """Train a model for some steps; return its parameters, its size and the seconds per step."""
    sources = TrainingData.in_folder(prepared)
    categories = SplitFolder(sources.gold).read().categories
    runner = build_runner(
        build_config(sources, categories, scratch, params, InitialWeights.from_params(params))
    )
    times = StepTimes()
    runner.register_hook(times)
    runner.train()
    parameters = sum(one.numel() for one in runner.model.parameters()) / 1e6
    weights = runner.model.state_dict().values()
    size = sum(value.numel() * value.element_size() for value in weights) / 1e6
    return f"{parameters:.2f} | {size:.1f} | {times.seconds():.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=CONFIGS, action="append")
    parser.add_argument("--steps", type=int, default=24)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(ROOT)
    print("| config | image size | parameters, million | weights, MB | seconds per step |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for task in arguments.task or CONFIGS:
        # pycocotools prints while it reads labels.
        with TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
            rows = measure(task, arguments.steps, Path(folder))
        print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
