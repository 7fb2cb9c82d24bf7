"""rounds/<k>/predictions -> rounds/<k>/silver: what is good enough, and why the rest is not."""

from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from pseudolabel.silver import write_silver
from pseudolabel.tasks import TASKS
from stages.arguments import ROUNDS, round_number

if __name__ == "__main__":
    with plain_errors():
        number, params = round_number(__doc__), load_params()
        folder = ROUNDS / str(number)
        write_silver(
            prepared=Path("data/prepared"),
            predictions=folder / "predictions",
            before=ROUNDS / str(number - 1) / "silver" if number > 1 else None,
            output=folder / "silver",
            section=params.filter,
            filtering=TASKS[params.task].filtering,
        )
