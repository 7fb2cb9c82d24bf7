"""The champion of the round before, and the pool -> rounds/<k>/predictions."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.predictions.label_shards import Part
from pseudolabel.predictions.pseudo_label import label_part, label_pool

PART = """label one part of the images, such as 3/16, and write no output: for other machines
with the same folder, before `dvc repro` collects the parts"""

if __name__ == "__main__":
    with plain_errors():
        parser = RoundFolder.parser(__doc__)
        parser.add_argument("--part", type=Part.parse, help=PART)
        arguments = parser.parse_args()
        folder = RoundFolder(arguments.round)
        inputs = PREPARED, RoundFolder(folder.number - 1).champion
        params = load_params()
        if arguments.part is not None:
            label_part(*inputs, folder.number, params, arguments.part)
        else:
            with output_lock(folder.predictions):
                label_pool(*inputs, folder.predictions, folder.number, params)
