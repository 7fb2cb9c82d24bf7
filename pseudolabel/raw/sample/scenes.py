"""Generated images: particles on a noisy background with uneven light.

Discs, rods and stars overlap, are in or out of focus, and differ little from the background in
brightness. Therefore a few gold images are not enough to train a good model.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.records import Category

KINDS = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))
_PARTICLES = (5, 25)
"""Smallest and largest number of particles per scene."""
_OUT_OF_FOCUS = 0.35
_LEAST_VISIBLE = 0.35
"""Share of a particle's pixels that must be visible; otherwise the particle has no label."""
SPECIMENS = (
    Category(1, "disc"),
    Category(2, "rod"),
    Category(3, "star3"),
    Category(4, "star4"),
    Category(5, "star5"),
    Category(6, "star6"),
)
"""The classes of portraits; the number of a star is the number of its tips."""
_FREQUENCIES = (0.3, 0.25, 0.15, 0.12, 0.1, 0.08)
"""Probabilities of these classes."""

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Style:
    """The difficulty of a scene.

    Attributes:
        radius: smallest and largest radius of particles in pixels.
        contrast: factor of the difference in brightness between particles and background.
    """

    radius: tuple[float, float] = (5.0, 12.0)
    contrast: float = 1.0


_FINE = Style()
COARSE = Style(radius=(9.0, 18.0), contrast=2.0)


@dataclass(frozen=True)
class Particle:
    """One particle of a scene.

    Attributes:
        category_id: its class.
        whole: (h, w) mask of the particle, including covered parts.
        visible: (h, w) mask of the parts that later particles do not cover.
    """

    category_id: int
    whole: Mask
    visible: Mask


@dataclass(frozen=True)
class Scene:
    """One generated image and its true labels.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        particles: the particles that are visible enough to have a label.
        classes: (h, w) class of the topmost particle at each pixel, 0 for the background.
    """

    image: Image
    particles: list[Particle]
    classes: NDArray[np.uint8]


def draw_scene(rng: np.random.Generator, width: int, height: int, style: Style = _FINE) -> Scene:
    """Return one image with 5 to 25 labelled particles; later particles cover earlier ones."""
    while True:
        scene = _draw_particles(rng, width, height, style)
        if len(scene.particles) >= _PARTICLES[0]:
            return scene


def _draw_particles(rng: np.random.Generator, width: int, height: int, style: Style) -> Scene:
    """Return one image of 5 to 25 particles, some of which may be covered and have no label."""
    background = _draw_background(rng, width, height)
    light = rng.uniform(0, 2 * np.pi)
    particles: list[tuple[int, NDArray[np.bool_]]] = []
    for _ in range(rng.integers(_PARTICLES[0], _PARTICLES[1] + 1)):
        category_id = int(rng.choice([1, 1, 1, 2, 2, 3]))
        outline = _draw_outline(rng, category_id, width, height, style)
        if outline.sum() < 30:
            continue
        focus = rng.uniform(1.2, 2.6) if rng.random() < _OUT_OF_FOCUS else rng.uniform(0.3, 0.8)
        background = _draw_particle(rng, background, outline, light, focus, style)
        particles.append((category_id, outline))
    image = _add_noise(rng, background)
    classes = np.zeros((height, width), np.uint8)
    for category_id, outline in particles:
        classes[outline] = category_id
    return Scene(image, _visible_particles(particles), classes)


def draw_portrait(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Return one image of a single large particle, with up to 3 small particles without a label."""
    background = _draw_background(rng, width, height)
    light = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(0, 4)):
        small = _draw_outline(rng, 1, width, height, _FINE)
        if small.any():
            background = _draw_particle(rng, background, small, light, rng.uniform(1.2, 2.6), _FINE)
    category_id = int(rng.choice(len(SPECIMENS), p=_FREQUENCIES)) + 1
    side = min(width, height)
    centre = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    radius, turn = side * rng.uniform(0.2, 0.38), rng.uniform(0, 2 * np.pi)
    tips = max(category_id, 3)
    points = _outline_points(min(category_id, 3), radius, turn, tips)
    outline = _fill_polygon(centre + points, width, height)
    focus = rng.uniform(1.2, 2.6) if rng.random() < _OUT_OF_FOCUS else rng.uniform(0.3, 0.8)
    background = _draw_particle(rng, background, outline, light, focus, COARSE)
    classes = np.where(outline, category_id, 0).astype(np.uint8)
    return Scene(_add_noise(rng, background), [Particle(category_id, outline, outline)], classes)


def _add_noise(rng: np.random.Generator, background: NDArray[np.float64]) -> Image:
    """Return the (h, w, 3) uint8 pixels of a scene with camera noise."""
    noise = rng.normal(0, rng.uniform(4, 10), background.shape)
    return np.clip(background + noise, 0, 255).astype(np.uint8)


def _draw_background(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Return an (h, w, 3) background with a gradient of light, stains and a tint."""
    y, x = np.mgrid[0:height, 0:width]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    stains = rng.normal(0, 1, (height // 16 + 2, width // 16 + 2))
    field = cv2.resize(stains, (width, height), interpolation=cv2.INTER_CUBIC)
    brightness = rng.uniform(90, 150) + rng.uniform(20, 70) * slope + rng.uniform(4, 12) * field
    return brightness[..., None] * rng.uniform(0.9, 1.1, 3)


def _draw_outline(
    rng: np.random.Generator, category_id: int, width: int, height: int, style: Style
) -> NDArray[np.bool_]:
    """Return the (h, w) mask of one particle of class 1 (disc), 2 (rod) or 3 (star)."""
    centre = rng.uniform((0, 0), (width, height))
    radius, turn = rng.uniform(*style.radius), rng.uniform(0, 2 * np.pi)
    tips = int(rng.integers(4, 7)) if category_id == 3 else 0
    return _fill_polygon(centre + _outline_points(category_id, radius, turn, tips), width, height)


def _outline_points(category_id: int, radius: float, turn: float, tips: int) -> NDArray[np.float64]:
    """Return the (60, 2) points of a particle's outline, relative to its centre, in pixels."""
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


def _fill_polygon(points: NDArray[np.float64], width: int, height: int) -> Mask:
    """Return the (h, w) mask of the pixels inside a polygon."""
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], 1)
    return canvas.astype(bool)


def box_of(mask: Mask) -> tuple[int, int, int, int]:
    """Return x1, y1, x2, y2 of the pixels of an (h, w) mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _draw_particle(
    rng: np.random.Generator,
    background: NDArray[np.float64],
    outline: NDArray[np.bool_],
    light: float,
    focus: float,
    style: Style,
) -> NDArray[np.float64]:
    """Return the background with one particle, lit from one side and blurred by `focus` pixels."""
    height, width = outline.shape
    y, x = np.mgrid[0:height, 0:width]
    x1, y1, x2, y2 = box_of(outline)
    across = (x - (x1 + x2) / 2) * np.cos(light) + (y - (y1 + y2) / 2) * np.sin(light)
    contrast = style.contrast * rng.choice([-1, 1]) * rng.uniform(12, 40)
    shade = contrast + rng.uniform(6, 18) * across / max(x2 - x1, y2 - y1)
    alpha = cv2.GaussianBlur(outline.astype(np.float64), (0, 0), focus)
    return background + (alpha * shade)[..., None] * rng.uniform(0.85, 1.15, 3)


def _visible_particles(particles: list[tuple[int, Mask]]) -> list[Particle]:
    """Return the particles that later particles leave visible enough."""
    found = []
    for index, (category_id, mask) in enumerate(particles):
        covered = np.zeros_like(mask)
        for _, later in particles[index + 1 :]:
            covered |= later
        visible = mask & ~covered
        if visible.sum() >= _LEAST_VISIBLE * mask.sum():
            found.append(Particle(category_id, mask, visible))
    return found
