"""Gold, val, tuning and the last round's silver -> final/model: trained on all labels.

Val was trained on, so its metrics would mean nothing: only test is scored.
"""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.files import remove, write_json
from pseudolabel.core.per_round import in_round
from pseudolabel.core.project import FINAL_METRICS, FINAL_MODEL, PREPARED, RoundFolder
from pseudolabel.core.workdir import SCRATCH, output_lock
from pseudolabel.evaluation.evaluate import score_model
from pseudolabel.evaluation.history import headline_scores
from pseudolabel.params.loading import load_params
from pseudolabel.silver.merge import merge_everything
from pseudolabel.training.train import train

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        folder, everything = RoundFolder(params.round), SCRATCH / "everything"
        params = in_round(params, folder.number)
        with output_lock(FINAL_MODEL):
            merge_everything(folder.training_data, PREPARED, everything)
            train(everything, PREPARED, FINAL_MODEL, params, ("test",), folder.champion)
            remove(everything)
            row = score_model(FINAL_MODEL, PREPARED, params, splits=("test",)).row
            write_json(FINAL_METRICS, headline_scores(row, "test"))
