"""The champion of the round before, and the pool -> rounds/<k>/predictions."""

from pathlib import Path

from pseudolabel.engines.labelling import label_pool
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS, round_number

if __name__ == "__main__":
    with plain_errors():
        number = round_number(__doc__)
        label_pool(
            prepared=Path("data/prepared"),
            champion=ROUNDS / str(number - 1) / "champion",
            output=ROUNDS / str(number) / "predictions",
            round_number=number,
            params=load_params(),
        )
