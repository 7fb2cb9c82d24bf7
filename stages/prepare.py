"""data.root -> data/prepared: the raw data, checked and split."""

from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from pseudolabel.prepare import prepare
from pseudolabel.tasks import TASKS

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        task, output = TASKS[params.task], Path("data/prepared")
        prepare(params.data.root, output, task, params.prepare, params.seed)
