"""Champion -> files to submit: stage `export`.

The table has the fields of a submission and the form of COCO results, for each task.
"""

from pseudolabel.export.classes import CLASS_FIELDS
from pseudolabel.export.objects import BOX_FIELDS, MASK_FIELDS
from pseudolabel.export.pixels import PIXEL_FIELDS
from pseudolabel.export.submission import TaskFields

FIELDS: dict[str, TaskFields] = {
    "detection": BOX_FIELDS,
    "instance": MASK_FIELDS,
    "semantic": PIXEL_FIELDS,
    "classification": CLASS_FIELDS,
}
