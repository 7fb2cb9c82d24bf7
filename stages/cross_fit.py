"""folds/models and gold -> folds/predictions: each gold image labelled by who never saw it."""

from pathlib import Path

from pseudolabel.engines.cross_fit import cross_fit
from pseudolabel.errors import plain_errors
from pseudolabel.folds import MODELS
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors():
        cross_fit(MODELS, Path("folds/predictions"), load_params())
