"""Importers: other formats are converted to the raw layout, one module per format.

The project has its own readers. Those of libraries stop at the first fault or skip what they cannot
use, and they lose fields:

- supervision keeps boxes, masks, classes and crowd flags; scores, flags and unknown fields are
  lost. Of labelme, it skips circles and masks. It does not compare stated sizes with the files.
- datumaro loses unknown fields of COCO, and its labels of category 0. It wants images/ at one
  place, and skips labels of unknown images. It has no reader for labelme's JSON, Label Studio, VIA
  or images of Supervisely.
- The converter in labelme's examples loses flags, scores and descriptions, needs a list of labels,
  and leaves labels out that are not in it. It does not read masks or rectangles of four corners.

The tests compare boxes with those of supervision.
"""

from pseudolabel.raw.importers import (
    coco,
    csv_labels,
    cvat,
    folders,
    label_studio,
    labelme,
    masks,
    supervisely,
    via,
    voc,
    yolo,
)
from pseudolabel.raw.importers.base import Reader

IMPORTERS: dict[str, Reader] = {
    "coco": coco.read,
    "yolo": yolo.read,
    "voc": voc.read,
    "labelme": labelme.read,
    "label-studio": label_studio.read,
    "cvat": cvat.read,
    "via": via.read,
    "supervisely": supervisely.read,
    "masks": masks.read,
    "folders": folders.read,
    "csv": csv_labels.read,
}
