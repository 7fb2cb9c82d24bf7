"""Gold and rounds/<k>/silver -> rounds/<k>/merged: what the round's student is trained on."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.silver.merge import merge

if __name__ == "__main__":
    with plain_errors():
        folder = RoundFolder.from_command_line(__doc__)
        with output_lock(folder.merged):
            merge(PREPARED, folder.silver, folder.merged)
