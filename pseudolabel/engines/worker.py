"""One process of a training that torchrun started; it reads params.yaml like every stage."""

import os
import sys
from pathlib import Path

import torch

from pseudolabel.engines.training import train_in
from pseudolabel.engines.training_config import Sources
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params


def main() -> None:
    """Join the other processes, then train with them."""
    # mmengine would ask for a GPU even where gloo joins processes without one.
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")
    try:
        train_in(Path(sys.argv[2]), Sources.of(Path(sys.argv[1])), load_params())
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    with plain_errors():
        main()
