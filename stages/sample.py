"""data/sample: the generated sample of the task, in the raw layout."""

from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from pseudolabel.tasks import TASKS

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        TASKS[params.task].write_sample(Path("data/sample"), params.sample)
