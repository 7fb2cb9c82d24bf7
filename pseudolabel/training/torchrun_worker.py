"""One process of a training that torchrun started."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import torch

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.files import read_json
from pseudolabel.core.workdir import workers_lock
from pseudolabel.params.loading import PARAMS_BY_TASK
from pseudolabel.training.sources import TrainingData
from pseudolabel.training.train import WORKER_PARAMS, train_in_scratch


def _main() -> None:
    # mmengine would require a GPU, even if gloo connects processes without one.
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")
    data, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    lock = workers_lock(scratch) if os.environ["LOCAL_RANK"] == "0" else nullcontext()
    try:
        with lock:
            values = read_json(scratch / WORKER_PARAMS)
            train_in_scratch(
                scratch,
                TrainingData.in_folder(data),
                PARAMS_BY_TASK[values["task"]].model_validate(values),
            )
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    with plain_errors():
        _main()
