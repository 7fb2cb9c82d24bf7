"""One process of a training that torchrun started; it reads params.yaml like every stage."""

import sys
from pathlib import Path

from pseudolabel.engines.training import train_in
from pseudolabel.engines.training_config import Sources
from pseudolabel.errors import plain_errors
from pseudolabel.params import load_params

if __name__ == "__main__":
    with plain_errors():
        train_in(Path(sys.argv[2]), Sources.of(Path(sys.argv[1])), load_params())
