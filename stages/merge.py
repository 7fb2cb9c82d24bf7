"""Gold and rounds/<k>/silver -> rounds/<k>/merged: what the round's student is trained on."""

from pathlib import Path

from pseudolabel.errors import plain_errors
from pseudolabel.merge import merge
from stages.arguments import ROUNDS, round_number

if __name__ == "__main__":
    with plain_errors():
        folder = ROUNDS / str(round_number(__doc__))
        merge(Path("data/prepared"), folder / "silver", folder / "merged")
