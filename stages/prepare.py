"""data.root -> data/prepared: the raw data, checked and split."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import KEPT_RAW, PREPARED, REVIEWED_GOLD
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.splits.prepare import prepare

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        with output_lock(PREPARED):
            values = params.task, params.prepare, params.seed
            prepare(params.data.root, PREPARED, *values, REVIEWED_GOLD, KEPT_RAW)
