"""Prepared gold (round 0), or merged gold and silver and the champion -> rounds/<k>/model."""

from pathlib import Path

from pseudolabel.engines.training import train
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS, round_number

if __name__ == "__main__":
    with plain_errors():
        number = round_number(__doc__)
        data = ROUNDS / str(number) / "merged" if number else Path("data/prepared")
        train(
            data,
            prepared=Path("data/prepared"),
            output=ROUNDS / str(number) / "model",
            params=load_params().in_round(number),
            champion=ROUNDS / str(number - 1) / "champion" if number else None,
        )
