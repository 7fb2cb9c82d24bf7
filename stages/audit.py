"""folds/predictions -> folds/audit: the gold labels that are most likely wrong."""

from pseudolabel.audit.report import write_audit
from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import AUDIT, FOLD_PREDICTIONS
from pseudolabel.core.workdir import output_lock
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        with output_lock(AUDIT):
            write_audit(FOLD_PREDICTIONS, params.data.root / IMAGES, AUDIT, params.task)
