"""rounds/<k>/model on tuning, val and test -> rounds/<k>/evaluation, the champion so far."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.evaluation.evaluate import PreviousRound, evaluate
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors():
        folder = RoundFolder.from_command_line(__doc__)
        with output_lock(folder.evaluation):
            before = folder.previous
            previous = (
                PreviousRound(before.evaluation, before.champion, folder.silver) if before else None
            )
            evaluate(
                model=folder.model,
                prepared=PREPARED,
                previous=previous,
                output=folder.evaluation,
                champion=folder.champion,
                params=load_params(),
            )
