"""The champion's thresholds, or parameters of training, tuned on data/prepared/tuning -> tune/."""

import argparse

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import PREPARED, TUNE, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.search.inference import tune_inference
from pseudolabel.search.training import tune_training

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=["inference", "training"], help="what to tune")
    target = parser.parse_args().target
    with plain_errors():
        params = load_params()
        with output_lock(TUNE / target):
            if target == "inference":
                champion = RoundFolder(params.round).champion
                tune_inference(PREPARED, champion, TUNE / target, params)
            else:
                tune_training(PREPARED, TUNE / target, params)
