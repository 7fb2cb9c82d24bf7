"""folds/predictions -> folds/audit: the gold labels that are most likely wrong."""

from pathlib import Path

from pseudolabel.audit.writing import write_audit
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from pseudolabel.tasks import TASKS

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        images, predictions = params.data.root / "images", Path("folds/predictions")
        write_audit(predictions, images, Path("folds/audit"), TASKS[params.task])
