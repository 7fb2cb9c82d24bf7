"""Gold (round 0), or merged gold and silver and the last champion -> rounds/<k>/model."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.training.from_file import take_file
from pseudolabel.training.train import train

if __name__ == "__main__":
    with plain_errors():
        folder = RoundFolder.from_command_line(__doc__)
        params = in_round(load_params(), folder.number)
        with output_lock(folder.model):
            if folder.previous is None and params.model.round_0 is not None:
                take_file(params.model.round_0, PREPARED, folder.model, params.task)
            else:
                train(
                    folder.training_data,
                    prepared=PREPARED,
                    output=folder.model,
                    params=params,
                    champion=folder.previous.champion if folder.previous else None,
                )
