"""rounds/<k>/model on val and test -> rounds/<k>/evaluation and the champion so far."""

from pathlib import Path

from pseudolabel.engines.evaluating import Before, evaluate
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS, round_number

if __name__ == "__main__":
    with plain_errors():
        number = round_number(__doc__)
        folder, last = ROUNDS / str(number), ROUNDS / str(number - 1)
        evaluate(
            model=folder / "model",
            prepared=Path("data/prepared"),
            before=Before(last / "evaluation", last / "champion", folder / "silver")
            if number
            else None,
            output=folder / "evaluation",
            champion=folder / "champion",
            params=load_params(),
        )
