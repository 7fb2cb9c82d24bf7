"""Generated images: particles on a lit, noisy, uneven ground, with what they show.

Discs, rods and stars overlap, lie in or out of focus, and differ little from the ground in
brightness, so that a few gold images are not enough to learn them well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pseudolabel.records import Category

KINDS = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))
PARTICLES = (5, 25)
OUT_OF_FOCUS = 0.35
LEAST_VISIBLE = 0.35
"""Share of a particle that must stay uncovered for it to be labelled."""
SPECIMENS = (
    Category(1, "disc"),
    Category(2, "rod"),
    Category(3, "star3"),
    Category(4, "star4"),
    Category(5, "star5"),
    Category(6, "star6"),
)
"""What a portrait may show; a star's number is that of its tips."""
FREQUENCIES = (0.3, 0.25, 0.15, 0.12, 0.1, 0.08)

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Style:
    """How easily particles are told apart.

    Attributes:
        radius: smallest and largest, pixels.
        contrast: factor of their difference to the ground.
    """

    radius: tuple[float, float] = (5.0, 12.0)
    contrast: float = 1.0


FINE = Style()
COARSE = Style(radius=(9.0, 18.0), contrast=2.0)


@dataclass(frozen=True)
class Particle:
    """One particle of a scene.

    Attributes:
        category_id: its class.
        whole: (h, w) mask of the particle as if nothing covered it.
        visible: (h, w) mask of what those laid on later leave of it.
    """

    category_id: int
    whole: Mask
    visible: Mask


@dataclass(frozen=True)
class Scene:
    """One generated image with what it shows.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        particles: those that a careful person would label.
        classes: (h, w) class of the topmost particle at each pixel, 0 for the ground.
    """

    image: Image
    particles: list[Particle]
    classes: NDArray[np.uint8]


def draw_scene(rng: np.random.Generator, width: int, height: int, style: Style = FINE) -> Scene:
    """Return one image with 5 to 25 particles to be seen, later ones on top of earlier ones."""
    while True:
        scene = draw_particles(rng, width, height, style)
        if len(scene.particles) >= PARTICLES[0]:
            return scene


def draw_particles(rng: np.random.Generator, width: int, height: int, style: Style) -> Scene:
    """Return one image of 5 to 25 particles, some of which others may cover."""
    ground = draw_ground(rng, width, height)
    light = rng.uniform(0, 2 * np.pi)
    particles: list[tuple[int, NDArray[np.bool_]]] = []
    for _ in range(rng.integers(PARTICLES[0], PARTICLES[1] + 1)):
        category_id = int(rng.choice([1, 1, 1, 2, 2, 3]))
        outline = draw_outline(rng, category_id, width, height, style)
        if outline.sum() < 30:
            continue
        focus = rng.uniform(1.2, 2.6) if rng.random() < OUT_OF_FOCUS else rng.uniform(0.3, 0.8)
        ground = lay_on(rng, ground, outline, light, focus, style)
        particles.append((category_id, outline))
    image = with_noise(rng, ground)
    classes = np.zeros((height, width), np.uint8)
    for category_id, outline in particles:
        classes[outline] = category_id
    return Scene(image, seen(particles), classes)


def draw_portrait(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Return one image of a single large particle, which is all that is labelled, among bits."""
    ground = draw_ground(rng, width, height)
    light = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(0, 4)):
        bit = draw_outline(rng, 1, width, height, FINE)
        if bit.any():
            ground = lay_on(rng, ground, bit, light, rng.uniform(1.2, 2.6), FINE)
    category_id = int(rng.choice(len(SPECIMENS), p=FREQUENCIES)) + 1
    side = min(width, height)
    centre = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    radius, turn = side * rng.uniform(0.2, 0.38), rng.uniform(0, 2 * np.pi)
    tips = max(category_id, 3)
    points = outline_points(min(category_id, 3), radius, turn, tips)
    outline = filled(centre + points, width, height)
    focus = rng.uniform(1.2, 2.6) if rng.random() < OUT_OF_FOCUS else rng.uniform(0.3, 0.8)
    ground = lay_on(rng, ground, outline, light, focus, COARSE)
    classes = np.where(outline, category_id, 0).astype(np.uint8)
    return Scene(with_noise(rng, ground), [Particle(category_id, outline, outline)], classes)


def with_noise(rng: np.random.Generator, ground: NDArray[np.float64]) -> Image:
    """Return the (h, w, 3) pixels of a finished scene as a camera sees them."""
    noise = rng.normal(0, rng.uniform(4, 10), ground.shape)
    return np.clip(ground + noise, 0, 255).astype(np.uint8)


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
    rng: np.random.Generator, category_id: int, width: int, height: int, style: Style
) -> NDArray[np.bool_]:
    """Return the (h, w) mask of one particle: 1 a disc, 2 a rod, 3 a star."""
    centre = rng.uniform((0, 0), (width, height))
    radius, turn = rng.uniform(*style.radius), rng.uniform(0, 2 * np.pi)
    tips = int(rng.integers(4, 7)) if category_id == 3 else 0
    return filled(centre + outline_points(category_id, radius, turn, tips), width, height)


def outline_points(category_id: int, radius: float, turn: float, tips: int) -> NDArray[np.float64]:
    """Return (60, 2) points around a particle's centre, in pixels."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    if category_id == 2:
        flat = np.stack([1.4 * radius * np.cos(angles), 0.5 * radius * np.sin(angles)], axis=1)
        rotation = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        return flat @ np.array(rotation)
    if category_id == 1:
        radii = radius * (1 + 0.06 * np.sin(2 * angles + turn))
    else:
        radii = radius * (1 + 0.35 * np.cos(tips * angles + turn))
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def filled(points: NDArray[np.float64], width: int, height: int) -> Mask:
    """Return the (h, w) mask of the pixels inside a polygon."""
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], 1)
    return canvas.astype(bool)


def box_of(mask: Mask) -> tuple[int, int, int, int]:
    """Return x1, y1, x2, y2 of the pixels of an (h, w) mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def lay_on(
    rng: np.random.Generator,
    ground: NDArray[np.float64],
    outline: NDArray[np.bool_],
    light: float,
    focus: float,
    style: Style,
) -> NDArray[np.float64]:
    """Return the ground with one particle on it, lit from one side, blurred by `focus` pixels."""
    height, width = outline.shape
    y, x = np.mgrid[0:height, 0:width]
    x1, y1, x2, y2 = box_of(outline)
    across = (x - (x1 + x2) / 2) * np.cos(light) + (y - (y1 + y2) / 2) * np.sin(light)
    contrast = style.contrast * rng.choice([-1, 1]) * rng.uniform(12, 40)
    shade = contrast + rng.uniform(6, 18) * across / max(x2 - x1, y2 - y1)
    alpha = cv2.GaussianBlur(outline.astype(np.float64), (0, 0), focus)
    return ground + (alpha * shade)[..., None] * rng.uniform(0.85, 1.15, 3)


def seen(particles: list[tuple[int, Mask]]) -> list[Particle]:
    """Return the particles that those laid on later leave uncovered for the most part."""
    found = []
    for index, (category_id, mask) in enumerate(particles):
        covered = np.zeros_like(mask)
        for _, later in particles[index + 1 :]:
            covered |= later
        visible = mask & ~covered
        if visible.sum() >= LEAST_VISIBLE * mask.sum():
            found.append(Particle(category_id, mask, visible))
    return found
