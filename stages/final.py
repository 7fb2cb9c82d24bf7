"""Gold, val, tuning and the last round's silver -> final/model: trained on all labels.

Val was trained on, so its metrics would mean nothing: only test is scored. No images are left to
choose weights on: with `evaluate.select: best`, they are those of the last round's iteration.
"""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.files import read_json, remove, write_json, written_aside
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import FINAL_METRICS, FINAL_MODEL, PREPARED, RoundFolder
from pseudolabel.core.workdir import SCRATCH, output_lock
from pseudolabel.evaluation.history import HISTORY, headline_scores
from pseudolabel.evaluation.score import score_model
from pseudolabel.evaluation.selection import weights_like
from pseudolabel.formats.model_folder import copy_model
from pseudolabel.params.loading import load_params
from pseudolabel.silver.merge import merge_everything
from pseudolabel.training.train import train

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        folder = RoundFolder(params.round)
        everything, trained = SCRATCH / "everything", SCRATCH / "trained_on_everything"
        params = in_round(params, folder.number)
        with output_lock(FINAL_MODEL):
            merge_everything(folder.training_data, PREPARED, everything)
            train(everything, PREPARED, trained, params, ("test",), folder.champion)
            last_round = read_json(folder.evaluation / HISTORY)[-1]
            with written_aside(FINAL_MODEL) as aside:
                copy_model(trained, weights_like(trained, last_round), aside)
            remove(everything)
            remove(trained)
            row = score_model(FINAL_MODEL, PREPARED, params, splits=("test",)).row
            write_json(FINAL_METRICS, headline_scores(row, "test"))
