"""data.root -> data/prepared: the raw data, checked and split."""

from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.params import load_params
from pseudolabel.prepare import prepare

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        prepare(params.data.root, Path("data/prepared"), params.prepare.val_share, params.seed)
