"""Peak memory of labelling a pool of 200 and one of 2,000 images, for each task.

    python -m benchmarks.labelling_memory   # as in docs/benchmarks.md

Trains each task's default model for a few steps on a small sample, then labels generated pools in
processes of their own, as the stage does, and prints the peak resident memory of each (VmHWM).
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

from pseudolabel.engines.training import train
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.params.loading import TASKS, filled_in, read_yaml
from pseudolabel.params.sections import Params, Sample
from pseudolabel.prepare import prepare
from pseudolabel.records import Annotations, Dataset
from pseudolabel.tasks import TASKS as DATA_TASKS

POOLS = (200, 2000)
LABEL = """
import json, sys
from pathlib import Path
from pseudolabel.engines.labelling import label_pool
from pseudolabel.params.loading import TASKS
values = json.loads(sys.argv[1])
folder = Path(sys.argv[2])
params = TASKS[values["task"]].model_validate(values)
label_pool(folder, Path(sys.argv[3]), folder / "predictions", 1, params)
# Not getrusage: its peak is that of the process before exec, too, the benchmark itself.
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def params_of(task: str, root: Path) -> Params:
    """Return the parameters of a task as shipped, but for a short training and small shards."""
    defaults = read_yaml(Path("configs") / f"{task}.yaml")
    values = read_yaml(Path("params.yaml")) | {"task": task, "data": {"root": root, "workers": 0}}
    values["train"] |= {"iterations": 20, "warmup_iterations": 5, "checkpoint_every": 20}
    # Shards smaller than either pool, so that both pools fill at least one.
    values["pseudo_label"] |= {"shard_images": 5 * defaults["pseudo_label"]["batch_size"]}
    values["model"] |= {"config": str(Path(defaults["model"]["config"]).resolve())}
    return TASKS[task].model_validate(filled_in(values, defaults))


def peak_mb(params: Params, folder: Path, model: Path) -> float:
    """Label the pool of a folder in a process of its own, and return its peak memory in MB."""
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
    """Train, label, and print a line a task."""
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
                DATA_TASKS[task].write_sample(root, Sample(**sizes | {"pool": max(POOLS)}))
                prepare(root, folder / "prepared", DATA_TASKS[task], params.prepare, 0)
                train(folder / "prepared", folder / "prepared", folder / "model", params)
            pool = read_coco(folder / "prepared" / "pool" / FILE)
            peaks = []
            for count in POOLS:
                own = folder / str(count)
                part = Dataset(pool.images[:count], Annotations.empty(), pool.categories)
                write_coco(own / "pool" / FILE, part)
                peaks.append(peak_mb(params, own, folder / "model"))
            few, many = peaks
            counts = " and ".join(f"{count:,}" for count in POOLS)
            print(
                f"{task}: {counts} images: {few:.0f} and {many:.0f} MB, {many / few - 1:+.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
