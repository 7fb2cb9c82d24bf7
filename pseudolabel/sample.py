"""A generated sample in the raw layout: particles on a lit, noisy, uneven ground.

Discs, rods and stars overlap, lie in or out of focus, and differ little from the ground in
brightness, so that a few gold images are not enough to learn them well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.files import written_aside
from pseudolabel.formats.coco import write_coco
from pseudolabel.params import Sample
from pseudolabel.records import Annotations, Category, Dataset, Images

CATEGORIES = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))
PARTICLES = (5, 25)
RADIUS = (5.0, 12.0)
OUT_OF_FOCUS = 0.35
LEAST_VISIBLE = 0.35
"""Share of a particle that must stay uncovered for it to be labelled."""


@dataclass(frozen=True)
class Scene:
    """One generated image, (h, w, 3) uint8 BGR, with the particles a careful person would label.

    Attributes:
        image: the pixels.
        category_ids: (n,) class of each particle.
        masks: n masks, each (h, w) bool, the whole particle as if nothing covered it.
    """

    image: NDArray[np.uint8]
    category_ids: list[int]
    masks: list[NDArray[np.bool_]]


def write_sample(root: Path, sample: Sample) -> None:
    """Write gold, val, test and pool images with gold.json, val.json, test.json and oracle.json."""
    counts = {"gold": sample.gold, "val": sample.val, "test": sample.test, "oracle": sample.pool}
    rng = np.random.default_rng(sample.seed)
    number = 0
    with written_aside(root) as aside, tqdm(total=sum(counts.values()), desc="sample") as progress:
        (aside / "images").mkdir(parents=True)
        for split, count in counts.items():
            names, scenes = [], []
            for _ in range(count):
                number += 1
                names.append(f"{number:04d}.png")
                scenes.append(draw_scene(rng, sample.width, sample.height))
                cv2.imwrite(str(aside / "images" / names[-1]), scenes[-1].image)
                progress.update()
            first_id = number - count + 1
            write_coco(aside / f"{split}.json", labels_of(scenes, names, first_id))


def labels_of(scenes: list[Scene], names: list[str], first_id: int) -> Dataset:
    """Return the labels of scenes whose image ids count up from `first_id`."""
    heights, widths = zip(*(scene.image.shape[:2] for scene in scenes), strict=True)
    image_ids = list(range(first_id, first_id + len(scenes)))
    rows = [
        (image_id, category_id, mask)
        for image_id, scene in zip(image_ids, scenes, strict=True)
        for category_id, mask in zip(scene.category_ids, scene.masks, strict=True)
    ]
    boxes = np.array([box_of(mask) for _, _, mask in rows], np.float32).reshape(-1, 4)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    annotations = Annotations.gold(
        range(1, len(rows) + 1),
        [image_id for image_id, _, _ in rows],
        [category_id for _, category_id, _ in rows],
        boxes,
        areas,
        [False] * len(rows),
    )
    return Dataset(Images.build(image_ids, names, widths, heights), annotations, CATEGORIES)


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return x1, y1, x2, y2 of the pixels of an (h, w) mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def draw_scene(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Return one image with 5 to 25 particles to be seen, later ones on top of earlier ones."""
    while True:
        scene = draw_particles(rng, width, height)
        if len(scene.masks) >= PARTICLES[0]:
            return scene


def draw_particles(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Return one image of 5 to 25 particles, some of which others may cover."""
    ground = draw_ground(rng, width, height)
    light = rng.uniform(0, 2 * np.pi)
    particles: list[tuple[int, NDArray[np.bool_]]] = []
    for _ in range(rng.integers(PARTICLES[0], PARTICLES[1] + 1)):
        category_id = int(rng.choice([1, 1, 1, 2, 2, 3]))
        outline = draw_outline(rng, category_id, width, height)
        if outline.sum() < 30:
            continue
        focus = rng.uniform(1.2, 2.6) if rng.random() < OUT_OF_FOCUS else rng.uniform(0.3, 0.8)
        ground = lay_on(rng, ground, outline, light, focus)
        particles.append((category_id, outline))
    noise = rng.normal(0, rng.uniform(4, 10), ground.shape)
    image = np.clip(ground + noise, 0, 255).astype(np.uint8)
    seen = visible(particles)
    return Scene(image, [category_id for category_id, _ in seen], [mask for _, mask in seen])


def draw_ground(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Return an (h, w, 3) ground with a light gradient, stains and a tint."""
    y, x = np.mgrid[0:height, 0:width]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    stains = rng.normal(0, 1, (height // 16 + 2, width // 16 + 2))
    field = cv2.resize(stains, (width, height), interpolation=cv2.INTER_CUBIC)
    brightness = rng.uniform(90, 150) + rng.uniform(20, 70) * slope + rng.uniform(4, 12) * field
    return brightness[..., None] * rng.uniform(0.9, 1.1, 3)


def draw_outline(
    rng: np.random.Generator, category_id: int, width: int, height: int
) -> NDArray[np.bool_]:
    """Return the (h, w) mask of one particle: 1 a disc, 2 a rod, 3 a star."""
    centre = rng.uniform((0, 0), (width, height))
    radius, turn = rng.uniform(*RADIUS), rng.uniform(0, 2 * np.pi)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    if category_id == 1:
        radii = radius * (1 + 0.06 * np.sin(2 * angles + turn))
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    elif category_id == 2:
        flat = np.stack([1.4 * radius * np.cos(angles), 0.5 * radius * np.sin(angles)], axis=1)
        rotation = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        points = flat @ np.array(rotation)
    else:
        tips = rng.integers(4, 7)
        radii = radius * (1 + 0.35 * np.cos(tips * angles + turn))
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round(centre + points).astype(np.int32)], 1)
    return canvas.astype(bool)


def lay_on(
    rng: np.random.Generator,
    ground: NDArray[np.float64],
    outline: NDArray[np.bool_],
    light: float,
    focus: float,
) -> NDArray[np.float64]:
    """Return the ground with one particle on it, lit from one side, blurred by `focus` pixels."""
    height, width = outline.shape
    y, x = np.mgrid[0:height, 0:width]
    x1, y1, x2, y2 = box_of(outline)
    across = (x - (x1 + x2) / 2) * np.cos(light) + (y - (y1 + y2) / 2) * np.sin(light)
    contrast = rng.choice([-1, 1]) * rng.uniform(12, 40)
    shade = contrast + rng.uniform(6, 18) * across / max(x2 - x1, y2 - y1)
    alpha = cv2.GaussianBlur(outline.astype(np.float64), (0, 0), focus)
    return ground + (alpha * shade)[..., None] * rng.uniform(0.85, 1.15, 3)


def visible(
    particles: list[tuple[int, NDArray[np.bool_]]],
) -> list[tuple[int, NDArray[np.bool_]]]:
    """Return the particles that those laid on later leave uncovered for the most part."""
    seen = []
    for index, (category_id, mask) in enumerate(particles):
        covered = np.zeros_like(mask)
        for _, later in particles[index + 1 :]:
            covered |= later
        if (mask & ~covered).sum() >= LEAST_VISIBLE * mask.sum():
            seen.append((category_id, mask))
    return seen
