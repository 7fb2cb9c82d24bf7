"""The champion, or the models in export.models, on test, val or a folder -> export/results."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import EXPORT, PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.export.export import export
from pseudolabel.params.loading import load_params

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        with output_lock(EXPORT):
            export(PREPARED, RoundFolder(params.round).champion, EXPORT, params)
