"""The champion, or what export.models names, on test, val or a folder -> export/results."""

from pathlib import Path

from pseudolabel.engines.exporting import export
from pseudolabel.errors import plain_errors
from pseudolabel.params.loading import load_params
from stages.arguments import ROUNDS

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        champion = ROUNDS / str(params.round) / "champion"
        export(Path("data/prepared"), champion, Path("export/results"), params)
