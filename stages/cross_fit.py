"""folds/models -> folds/predictions: each gold image labelled by the model that never saw it."""

from pseudolabel.audit.cross_fit import cross_fit
from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import FOLD_MODELS, FOLD_PREDICTIONS
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors(), output_lock(FOLD_PREDICTIONS):
        cross_fit(FOLD_MODELS, FOLD_PREDICTIONS, load_params())
