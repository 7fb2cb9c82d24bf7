"""A generated sample: raw data to try the pipeline on, with the true labels of the pool."""

from functools import partial

from pseudolabel.raw.sample.labels import (
    SampleWriter,
    write_boxes,
    write_classes,
    write_maps,
    write_masks,
    write_sample,
)
from pseudolabel.raw.sample.scenes import COARSE, draw_portrait, draw_scene

SAMPLES: dict[str, SampleWriter] = {
    "detection": partial(write_sample, draw=draw_scene, write_labels=write_boxes),
    "instance": partial(
        write_sample, draw=partial(draw_scene, style=COARSE), write_labels=write_masks
    ),
    "semantic": partial(
        write_sample, draw=partial(draw_scene, style=COARSE), write_labels=write_maps
    ),
    "classification": partial(write_sample, draw=draw_portrait, write_labels=write_classes),
}
