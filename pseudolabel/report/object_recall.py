"""The share of gold objects that a detector finds, by size and by objects in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pseudolabel.report.html_parts import heading, table
from pseudolabel.report.object_matches import ImageMatch
from pseudolabel.report.tide import RIGHT, Judged

_SIZES: tuple[tuple[str, float, float], ...] = (
    ("small, below 32 x 32 pixels", 0, 32**2),
    ("medium", 32**2, 96**2),
    ("large, from 96 x 96 pixels", 96**2, np.inf),
)
_CROWDING = ((1, 1), (2, 4), (5, 9), (10, 19), (20, None))
"""Objects per image: the least and the most of each row."""


def recall_parts(images: Sequence[ImageMatch], threshold: float) -> list[str]:
    """Return a table of what predictions from a threshold on find."""
    found = np.concatenate(
        [np.empty(0, bool), *(_found_at(match.judged, threshold) for match in images)]
    )
    areas = np.concatenate([np.empty(0), *(match.gold.areas for match in images)])
    counts = [np.full(len(match.gold), len(match.gold)) for match in images]
    crowding = np.concatenate([np.empty(0), *counts])
    rows = [
        _row("size", name, found, (areas >= low) & (areas < high)) for name, low, high in _SIZES
    ]
    for least, most in _CROWDING:
        name = f"{least} or more" if most is None else f"{least} to {most}"
        name = "1" if least == most else name
        inside = (crowding >= least) & (crowding <= (most or np.inf))
        rows.append(_row("objects in the image", name, found, inside))
    rows = [row for row in rows if row[2] != "0"]
    head = ["by", "range", "objects", "found"]
    return [heading("Found by size and crowding"), table(head, rows)] if rows else []


def _found_at(judged: Judged, threshold: float) -> NDArray[np.bool_]:
    """Return the (g,) gold objects of an image that are found from a threshold on."""
    found = np.zeros(len(judged.gold_classes), bool)
    found[judged.targets[(judged.kinds == RIGHT) & (judged.scores >= threshold)]] = True
    return found


def _row(trait: str, name: str, found: NDArray[np.bool_], inside: NDArray[np.bool_]) -> list[str]:
    share = found[inside].mean() if inside.any() else 0.0
    return [trait, name, f"{int(inside.sum()):,}", f"{share:.1%}"]
