"""The last round's evaluation -> metrics.json and report/: the rounds side by side."""

from pathlib import Path

from pseudolabel.compare import compare
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS

if __name__ == "__main__":
    with plain_errors():
        evaluation = ROUNDS / str(load_params().round) / "evaluation"
        print(compare(evaluation, Path("metrics.json"), Path("report")))
