"""Gold, val, tuning and the last round's silver -> final/model: trained on everything."""

from pathlib import Path

from pseudolabel.engines.final import train_final
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS

if __name__ == "__main__":
    with plain_errors():
        params, prepared = load_params(), Path("data/prepared")
        number = params.round
        train_final(
            data=ROUNDS / str(number) / "merged" if number else prepared,
            prepared=prepared,
            model=Path("final/model"),
            metrics=Path("final/metrics.json"),
            params=params.in_round(number),
            champion=ROUNDS / str(number) / "champion",
        )
