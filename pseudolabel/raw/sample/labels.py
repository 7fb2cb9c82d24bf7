"""Writing generated scenes in the raw layout, with the labels of each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core import masks
from pseudolabel.core.columns import object_array
from pseudolabel.core.files import written_aside
from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.formats.coco_writer import write_coco
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.label_maps import LABEL_MAPS, write_map
from pseudolabel.params.sample import Sample
from pseudolabel.raw.sample.scenes import KINDS, SPECIMENS, Scene, box_of

DrawScene = Callable[[np.random.Generator, int, int], Scene]
WriteLabels = Callable[[Path, str, Images, list[Scene]], None]
"""Writes the labels of a split (raw root, split, images, scenes) for a task."""
SampleWriter = Callable[[Path, Sample], None]
"""Writes the generated sample of a task (raw root, its parameters)."""

_GROUND = Category(0, "ground")
ORACLE = "oracle"
"""The file with the true labels of the pool: for benchmarks, never for the pipeline."""


def write_sample(root: Path, sample: Sample, draw: DrawScene, write_labels: WriteLabels) -> None:
    """Write gold, val, test and pool images with labels; those of the pool go to oracle.json.

    Args:
        root: the raw root to write.
        sample: numbers of images per split, their size, and the seed.
        draw: draws a scene from a random generator, a width and a height.
        write_labels: writes the labels of a split for the task.
    """
    counts = {"gold": sample.gold, "val": sample.val, "test": sample.test, ORACLE: sample.pool}
    rng = np.random.default_rng(sample.seed)
    number = 0
    with written_aside(root) as aside, tqdm(total=sum(counts.values()), desc="sample") as progress:
        (aside / IMAGES).mkdir(parents=True)
        for split, count in counts.items():
            names, scenes = [], []
            for _ in range(count):
                number += 1
                names.append(f"{number:04d}.png")
                scenes.append(draw(rng, sample.width, sample.height))
                cv2.imwrite(str(aside / IMAGES / names[-1]), scenes[-1].image)
                progress.update()
            ids = list(range(number - count + 1, number + 1))
            sizes = [sample.width] * count, [sample.height] * count
            write_labels(aside, split, Images.build(ids, names, *sizes), scenes)


def write_boxes(root: Path, split: str, images: Images, scenes: list[Scene]) -> None:
    """Write a box per particle around its whole outline, including covered parts."""
    whole = [particle.whole for scene in scenes for particle in scene.particles]
    boxes = np.array([box_of(mask) for mask in whole], np.float32).reshape(-1, 4)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    rows = _particle_rows(images, scenes, boxes, areas)
    write_coco(root / f"{split}.json", Dataset(images, rows, KINDS))


def write_masks(root: Path, split: str, images: Images, scenes: list[Scene]) -> None:
    """Write a mask per particle of its visible pixels."""
    visible = [particle.visible for scene in scenes for particle in scene.particles]
    boxes = np.array([box_of(mask) for mask in visible], np.float32).reshape(-1, 4)
    areas = np.array([mask.sum() for mask in visible], np.float32)
    rows = _particle_rows(images, scenes, boxes, areas)
    encoded = object_array([masks.encode(mask[None])[0] for mask in visible])
    write_coco(root / f"{split}.json", Dataset(images, replace(rows, masks=encoded), KINDS))


def _particle_rows(
    images: Images,
    scenes: Sequence[Scene],
    boxes: NDArray[np.float32],
    areas: NDArray[np.float32],
) -> Annotations:
    """Return one row per particle, given the (n, 4) boxes and (n,) areas of all particles."""
    pairs = list(zip(images.ids.tolist(), scenes, strict=True))
    return Annotations.gold(
        range(1, len(boxes) + 1),
        [image_id for image_id, scene in pairs for _ in scene.particles],
        [particle.category_id for scene in scenes for particle in scene.particles],
        boxes,
        areas,
        [False] * len(boxes),
    )


def write_maps(root: Path, split: str, images: Images, scenes: list[Scene]) -> None:
    """Write a label map per image, and the COCO file of the images and classes."""
    folder = root / (f"{ORACLE}_{LABEL_MAPS}" if split == ORACLE else LABEL_MAPS)
    for name, scene in zip(images.file_names, scenes, strict=True):
        write_map(folder / name, scene.classes)
    classes = (_GROUND, *KINDS)
    write_coco(root / f"{split}.json", Dataset(images, Annotations.empty(), classes))


def write_classes(root: Path, split: str, images: Images, scenes: list[Scene]) -> None:
    """Write one class per image: that of its only particle."""
    count = len(images)
    nothing = np.full((count, 4), np.nan, np.float32)
    rows = _particle_rows(images, scenes, nothing, nothing[:, 0])
    write_coco(root / f"{split}.json", Dataset(images, rows, SPECIMENS))
