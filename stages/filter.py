"""rounds/<k>/predictions -> rounds/<k>/silver: what is good enough, and why the rest is not."""

from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.params import load_params
from pseudolabel.silver import write_silver
from stages.arguments import ROUNDS, round_number

if __name__ == "__main__":
    with plain_errors():
        folder = ROUNDS / str(round_number(__doc__))
        pool = Path("data/prepared/pool.json")
        write_silver(pool, folder / "predictions", folder / "silver", load_params().filter)
