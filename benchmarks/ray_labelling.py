"""What Ray adds to labelling: a plain process beside one and two workers on the same machine.

    python -m benchmarks.ray_labelling

A detector that has hardly learned anything labels the pool of a generated sample. Each run begins
anew, with the start of the cluster and the loading of the model. A worker that reserves all cores
is the only one. The program also says whether all runs wrote the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from pathlib import Path

from benchmarks.labelling_memory import params_of
from pseudolabel.core.files import hash_folder
from pseudolabel.core.per_round import in_round
from pseudolabel.params.common import Params
from pseudolabel.params.sample import Sample
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.splits.prepare import prepare
from pseudolabel.training.train import train

TASK = "detection"


def with_workers(params: Params, ray: str | None, cores: int) -> Params:
    """Return parameters with which Ray labels, or this process."""
    workers = params.pseudo_label.workers.model_copy(update={"ray": ray, "num_cpus": cores})
    section = params.pseudo_label.model_copy(update={"workers": workers})
    return params.model_copy(update={"pseudo_label": section})


def seconds_to_label(folder: Path, run: str, params: Params) -> float:
    """Label the pool in a folder of its own, and return the seconds."""
    (folder / run).mkdir()
    os.chdir(folder / run)
    start = time.perf_counter()
    label_pool(folder / "prepared", folder / "model", Path("predictions"), 1, params)
    return time.perf_counter() - start


def main() -> None:
    """Train, label three times, and print the seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=4_000)
    asked = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        params = params_of(TASK, folder / "raw")
        sizes = params.sample.model_dump() | {"gold": 8, "val": 2, "test": 2}
        runs = {
            "plain process": with_workers(params, None, 1),
            "one worker": with_workers(params, "local", cores),
            f"{cores} workers": with_workers(params, "local", 1),
        }
        hashes = set()
        with (folder / "log").open("w") as log, contextlib.redirect_stderr(log):
            SAMPLES[TASK](folder / "raw", Sample(**sizes | {"pool": asked.images}))
            prepare(folder / "raw", folder / "prepared", TASK, params.prepare, 0)
            os.chdir(folder)
            train(folder / "prepared", folder / "prepared", folder / "model", in_round(params, 0))
            print(f"{asked.images:,} images")
            for run, values in runs.items():
                seconds = seconds_to_label(folder, run, values)
                print(f"{run}: {seconds:.1f} s, {asked.images / seconds:.0f} images/s", flush=True)
                hashes.add(hash_folder(folder / run / "predictions"))
        print(f"the same bytes: {len(hashes) == 1}")


if __name__ == "__main__":
    main()
