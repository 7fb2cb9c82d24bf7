"""rounds/<k>/predictions and silver -> rounds/<k>/index: what the report shows of the round."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.report.round_index import write_round_index

if __name__ == "__main__":
    with plain_errors():
        folder = RoundFolder.from_command_line(__doc__)
        with output_lock(folder.index):
            write_round_index(folder, PREPARED, load_params().task)
