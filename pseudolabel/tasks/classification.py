"""Classification: one class for every image."""

from pseudolabel.audit.images import image_suspects
from pseudolabel.exports.images import CLASSES
from pseudolabel.filters.images import IMAGES
from pseudolabel.formats.classes import read_classes
from pseudolabel.metrics.images import ImageScorer
from pseudolabel.sample.scenes import draw_portrait
from pseudolabel.sample.writing import write_classes, write_sample
from pseudolabel.tasks.task import Task, labels_in_coco_alone

TASK = Task(
    name="classification",
    headline=("top1", "top5", "macro_f1", "ece"),
    empty_counts=False,
    write_sample=lambda root, sample: write_sample(root, sample, draw_portrait, write_classes),
    read_split=read_classes,
    write_labels=labels_in_coco_alone,
    filtering=IMAGES,
    scorer=lambda truth, _, __: ImageScorer(truth),
    export=CLASSES,
    suspects=image_suspects,
)
