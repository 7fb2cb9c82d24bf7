"""The champion's thresholds, or parameters of training, tuned on data/prepared/tuning -> tune/."""

import argparse
from pathlib import Path

from pseudolabel.engines.inference_study import tune_inference
from pseudolabel.engines.training_study import tune_training
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["inference", "training"], help="what is tuned")
    what = parser.parse_args().what
    with plain_errors():
        params, prepared, output = load_params(), Path("data/prepared"), Path("tune") / what
        if what == "inference":
            champion = ROUNDS / str(params.round) / "champion"
            tune_inference(prepared, champion, output, params)
        else:
            tune_training(prepared, output, params)
