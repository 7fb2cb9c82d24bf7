"""Peak memory of labelling pools of 200 and of 2,000 images, for each task.

    python -m benchmarks.labelling_memory   # as in docs/benchmarks.md

The model of each task's preset is trained for a few steps on a small sample. It then labels
generated pools in separate processes, as the stage does. The program prints the peak resident
memory of each process (VmHWM).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

from benchmarks.preset_params import preset_params
from pseudolabel.core.datasets import TUNING
from pseudolabel.core.per_round import in_round
from pseudolabel.core.records import Annotations, Dataset
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.train import train

POOLS = (200, 2000)
LABEL = """
import json, sys
from pathlib import Path
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.params.loading import PARAMS_BY_TASK
values = json.loads(sys.argv[1])
folder = Path(sys.argv[2])
params = PARAMS_BY_TASK[values["task"]].model_validate(values)
label_pool(folder, Path(sys.argv[3]), folder / "predictions", 1, params)
# Not getrusage: its peak includes the process before exec, which is the benchmark itself.
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def params_of(task: str, root: Path) -> Params:
    """Return the parameters of a task's sample, with a short training and small shards."""
    preset = preset_params(f"sample_{task}")
    options = {
        "data.root": root,
        "data.workers": 0,
        "model.config": str(Path(str(preset.model.config)).resolve()),
        "train.iterations": 20,
        "train.warmup_iterations": 5,
        "train.checkpoint_every": 20,
        # Shards are smaller than both pools, so that both pools fill at least one.
        "pseudo_label.shard_images": 5 * preset.pseudo_label.batch_size,
    }
    return preset_params(f"sample_{task}", options)


def peak_mb(params: Params, folder: Path, model: Path) -> float:
    """Label the pool of a folder in a separate process, and return its peak memory in MB."""
    values = orjson.dumps(params.model_dump(mode="json")).decode()
    command = [sys.executable, "-c", LABEL, values, str(folder), str(model)]
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[1]))
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1000


def main() -> None:
    """Train, label, and print one line per task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    for task in parser.parse_args().tasks:
        with tempfile.TemporaryDirectory() as name:
            folder, root = Path(name), Path(name) / "raw"
            params = params_of(task, root)
            sizes = params.sample.model_dump() | {"gold": 8, "val": 2, "test": 2}
            with (folder / "log").open("w") as log, contextlib.redirect_stderr(log):
                SAMPLES[task](root, Sample(**sizes | {"pool": max(POOLS)}))
                prepare(root, folder / "prepared", task, params.prepare, 0)
                prepared = folder / "prepared"
                train(prepared, prepared, folder / "model", in_round(params, 0))
            pool = SplitFolder(prepared / "pool").read()
            peaks = []
            for count in POOLS:
                part = folder / str(count)
                images = Dataset(pool.images[:count], Annotations.empty(), pool.categories)
                SplitFolder(part / "pool").write(images)
                SplitFolder(part / TUNING).write(Dataset.empty(pool.categories))
                peaks.append(peak_mb(params, part, folder / "model"))
            few, many = peaks
            counts = " and ".join(f"{count:,}" for count in POOLS)
            print(
                f"{task}: {counts} images: {few:.0f} and {many:.0f} MB, {many / few - 1:+.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
