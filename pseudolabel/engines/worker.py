"""One process of a training that torchrun started."""

import os
import sys
from pathlib import Path

import torch

from pseudolabel.engines.training import PARAMS, train_in
from pseudolabel.engines.training_config import Sources
from pseudolabel.errors import plain_errors
from pseudolabel.files import read_json
from pseudolabel.params.loading import TASKS


def main() -> None:
    """Join the other processes, then train with them."""
    # mmengine would ask for a GPU even where gloo joins processes without one.
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")
    try:
        data, scratch = Path(sys.argv[1]), Path(sys.argv[2])
        values = read_json(scratch / PARAMS)
        train_in(scratch, Sources.of(data), TASKS[values["task"]].model_validate(values))
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    with plain_errors():
        main()
