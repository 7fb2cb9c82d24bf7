"""data/sample/<task>: the generated sample in the raw layout."""

import sys
from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.params import load_params
from pseudolabel.sample import write_sample

if __name__ == "__main__":
    with plain_errors():
        write_sample(Path("data/sample") / sys.argv[1], load_params().sample)
