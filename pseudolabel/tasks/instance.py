"""Instance segmentation: a mask and a class for every object."""

from functools import partial

from pseudolabel.audit.objects import object_suspects
from pseudolabel.exports.objects import MASKS as MASK_FIELDS
from pseudolabel.filters.objects import MASKS
from pseudolabel.formats.raw import read_coco_split
from pseudolabel.formats.shapes import Contract
from pseudolabel.metrics.objects import MaskScorer
from pseudolabel.sample.scenes import COARSE, draw_scene
from pseudolabel.sample.writing import write_masks, write_sample
from pseudolabel.tasks.task import Task, labels_in_coco_alone

TASK = Task(
    name="instance",
    headline=("mAP", "mAP_50", "mAP_75", "box_mAP"),
    empty_counts=True,
    write_sample=lambda root, sample: write_sample(
        root, sample, partial(draw_scene, style=COARSE), write_masks
    ),
    read_split=read_coco_split(Contract.MASK),
    write_labels=labels_in_coco_alone,
    filtering=MASKS,
    scorer=lambda truth, _, params: MaskScorer(
        truth, params.evaluate.max_boxes, params.evaluate.measure
    ),
    export=MASK_FIELDS,
    suspects=object_suspects,
)
