"""Semantic segmentation: a class for every pixel."""

from functools import partial

from pseudolabel.audit.pixels import pixel_suspects
from pseudolabel.exports.pixels import PIXELS as MAP_FIELDS
from pseudolabel.filters.pixels import PIXELS
from pseudolabel.formats.label_maps import read_label_maps, write_label_maps
from pseudolabel.metrics.pixels import PixelScorer
from pseudolabel.sample.scenes import COARSE, draw_scene
from pseudolabel.sample.writing import write_maps, write_sample
from pseudolabel.tasks.task import Task

TASK = Task(
    name="semantic",
    headline=("mIoU", "mAcc", "aAcc"),
    empty_counts=False,
    write_sample=lambda root, sample: write_sample(
        root, sample, partial(draw_scene, style=COARSE), write_maps
    ),
    read_split=read_label_maps,
    write_labels=write_label_maps,
    filtering=PIXELS,
    scorer=lambda truth, folder, _: PixelScorer(truth, folder),
    export=MAP_FIELDS,
    suspects=pixel_suspects,
)
