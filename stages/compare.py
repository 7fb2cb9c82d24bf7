"""All rounds side by side -> metrics.json and report/: tables, and pages to look at."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import METRICS, PREPARED, REPORT
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.report.site import write_site

if __name__ == "__main__":
    with plain_errors(), output_lock(REPORT):
        print(write_site(PREPARED, METRICS, REPORT, load_params()))
