"""Object detection: a box and a class for every object."""

from pseudolabel.audit.objects import object_suspects
from pseudolabel.exports.objects import BOXES as BOX_FIELDS
from pseudolabel.filters.objects import BOXES
from pseudolabel.formats.raw import read_coco_split
from pseudolabel.formats.shapes import Contract
from pseudolabel.metrics.objects import BoxScorer
from pseudolabel.sample.scenes import draw_scene
from pseudolabel.sample.writing import write_boxes, write_sample
from pseudolabel.tasks.task import Task, labels_in_coco_alone

TASK = Task(
    name="detection",
    headline=("mAP", "mAP_50", "mAP_75"),
    empty_counts=True,
    write_sample=lambda root, sample: write_sample(root, sample, draw_scene, write_boxes),
    read_split=read_coco_split(Contract.BOX),
    write_labels=labels_in_coco_alone,
    filtering=BOXES,
    scorer=lambda truth, _, params: BoxScorer(
        truth, params.evaluate.max_boxes, params.evaluate.measure
    ),
    export=BOX_FIELDS,
    suspects=object_suspects,
)
