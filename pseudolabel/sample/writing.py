"""Generated scenes in the raw layout, labelled in the way of each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel import masks
from pseudolabel.files import written_aside
from pseudolabel.formats.coco import write_coco
from pseudolabel.formats.images import IMAGES
from pseudolabel.formats.label_maps import MASKS, write_map
from pseudolabel.params.sections import Sample
from pseudolabel.records import Annotations, Category, Dataset, Images, object_array
from pseudolabel.sample.scenes import KINDS, SPECIMENS, Scene, box_of

Draw = Callable[[np.random.Generator, int, int], Scene]
WriteLabels = Callable[[Path, str, Images, list[Scene]], None]
"""How a task writes a split's labels (root, name, images, scenes)."""

GROUND = Category(0, "ground")
ORACLE = "oracle"
"""The pool's true labels: for benchmarks, never for the pipeline."""


def write_sample(root: Path, sample: Sample, draw: Draw, write_labels: WriteLabels) -> None:
    """Write gold, val, test and pool images with their labels; the pool's are the oracle's.

    Args:
        root: the raw root to write.
        sample: images per split, their size, and the seed.
        draw: what an image shows, from a generator, a width and a height.
        write_labels: how the task labels a split.
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
    """Write a box for each particle, as large as if nothing covered it."""
    whole = [[particle.whole for particle in scene.particles] for scene in scenes]
    boxes = np.array([box_of(mask) for own in whole for mask in own], np.float32).reshape(-1, 4)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    write_coco(
        root / f"{split}.json", Dataset(images, objects(images, scenes, boxes, areas), KINDS)
    )


def write_masks(root: Path, split: str, images: Images, scenes: list[Scene]) -> None:
    """Write a mask for each particle, of what is to be seen of it."""
    visible = [particle.visible for scene in scenes for particle in scene.particles]
    boxes = np.array([box_of(mask) for mask in visible], np.float32).reshape(-1, 4)
    areas = np.array([mask.sum() for mask in visible], np.float32)
    rows = objects(images, scenes, boxes, areas)
    encoded = object_array([masks.encode(mask[None])[0] for mask in visible])
    write_coco(root / f"{split}.json", Dataset(images, replace(rows, masks=encoded), KINDS))


def objects(
    images: Images,
    scenes: Sequence[Scene],
    boxes: NDArray[np.float32],
    areas: NDArray[np.float32],
) -> Annotations:
    """Return a row for each particle, given the (n, 4) boxes and (n,) areas of all of them."""
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
    """Write a label map for each image, and the COCO file that names images and classes."""
    folder = root / (f"{ORACLE}_{MASKS}" if split == ORACLE else MASKS)
    for name, scene in zip(images.file_names, scenes, strict=True):
        write_map(folder / name, scene.classes)
    classes = (GROUND, *KINDS)
    write_coco(root / f"{split}.json", Dataset(images, Annotations.empty(), classes))


def write_classes(root: Path, split: str, images: Images, scenes: list[Scene]) -> None:
    """Write the class of each image's one particle."""
    count = len(images)
    nothing = np.full((count, 4), np.nan, np.float32)
    rows = objects(images, scenes, nothing, nothing[:, 0])
    write_coco(root / f"{split}.json", Dataset(images, rows, SPECIMENS))
