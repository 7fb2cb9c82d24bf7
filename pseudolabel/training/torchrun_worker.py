"""One process of a training that torchrun started."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.files import read_json
from pseudolabel.core.workdir import workers_lock
from pseudolabel.params.loading import PARAMS_BY_TASK
from pseudolabel.training.launch import FAULT, WORKER_PARAMS
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import train_in_scratch


def _main() -> None:
    data, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    if (scratch / FAULT).exists():
        # torchrun has started this process again, but the fault would be the same.
        return
    # mmengine would require a GPU, even if gloo connects processes without one.
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")
    try:
        with _reported(scratch / FAULT):
            _train(data, scratch)
    finally:
        torch.distributed.destroy_process_group()


def _train(data: Path, scratch: Path) -> None:
    lock = workers_lock(scratch) if os.environ["RANK"] == "0" else nullcontext()
    with lock:
        values = read_json(scratch / WORKER_PARAMS)
        train_in_scratch(
            scratch,
            TrainingData.in_folder(data),
            PARAMS_BY_TASK[values["task"]].model_validate(values),
        )


@contextmanager
def _reported(fault: Path) -> Iterator[None]:
    """Write an error for the user to a file, which the stage prints when all processes have ended.

    The connections of the other processes then break in the middle of a step: this is no error.
    """
    try:
        with plain_errors():
            yield
    except SystemExit as stopped:
        # Not aside: several processes can have a fault at once, and either message will do.
        fault.write_text(str(stopped.code), encoding="utf-8")
        sys.exit(1)
    except RuntimeError:
        if fault.exists():
            sys.exit(1)
        raise


if __name__ == "__main__":
    _main()
