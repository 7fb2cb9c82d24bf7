"""Other formats, brought into the raw layout: one file a format.

Readers of our own, because the ones of the libraries at hand lose what must survive (scores, flags,
fields that nobody foresaw, polygons), or stop at the first fault. The tests compare the two.
"""

from pseudolabel.imports import coco, csv_labels, folders, labelme, masks, voc, yolo
from pseudolabel.imports.source import Reader

READERS: dict[str, Reader] = {
    "coco": coco.read,
    "yolo": yolo.read,
    "voc": voc.read,
    "labelme": labelme.read,
    "masks": masks.read,
    "folders": folders.read,
    "csv": csv_labels.read,
}
