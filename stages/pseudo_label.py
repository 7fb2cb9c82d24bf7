"""The champion of the round before, and the pool -> rounds/<k>/predictions."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.predictions.pseudo_label import label_pool

if __name__ == "__main__":
    with plain_errors():
        folder = RoundFolder.from_command_line(__doc__)
        with output_lock(folder.predictions):
            label_pool(
                prepared=PREPARED,
                champion=RoundFolder(folder.number - 1).champion,
                output=folder.predictions,
                round_number=folder.number,
                params=load_params(),
            )
