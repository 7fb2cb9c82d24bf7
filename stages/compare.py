"""The last round's evaluation -> metrics.json and report/: all rounds side by side."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import METRICS, REPORT, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.evaluation.compare import compare
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors(), output_lock(REPORT):
        print(compare(RoundFolder(load_params().round).evaluation, METRICS, REPORT))
