"""rounds/<k>/predictions -> rounds/<k>/silver: the labels that are good enough."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.silver import FILTERS
from pseudolabel.silver.filter import write_silver

if __name__ == "__main__":
    with plain_errors():
        folder = RoundFolder.from_command_line(__doc__)
        params = in_round(load_params(), folder.number)
        with output_lock(folder.silver):
            write_silver(
                prepared=PREPARED,
                predictions=folder.predictions,
                before=RoundFolder(folder.number - 1).silver if folder.number > 1 else None,
                output=folder.silver,
                section=params.filter,
                task_filter=FILTERS[params.task],
            )
