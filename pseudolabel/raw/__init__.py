"""The raw data of the user: images and their labels, read and checked.

The tables map each task to its reader of a labelled split and to its split writer. The writer
creates the files beside the COCO file.
"""

from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.raw.coco_splits import coco_split, read_class_split
from pseudolabel.raw.label_maps import read_label_maps, write_label_maps
from pseudolabel.raw.layout import SplitReader, SplitWriter, labels_in_coco_file

SPLIT_READERS: dict[str, SplitReader] = {
    "detection": coco_split(Contract.BOX),
    "instance": coco_split(Contract.MASK),
    "semantic": read_label_maps,
    "classification": read_class_split,
}

SPLIT_WRITERS: dict[str, SplitWriter] = {
    "detection": labels_in_coco_file,
    "instance": labels_in_coco_file,
    "semantic": write_label_maps,
    "classification": labels_in_coco_file,
}
