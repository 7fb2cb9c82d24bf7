"""The colours of classes: the same on every page, and told apart by colour-blind people.

The first eight are those of Okabe and Ito (2008), with grey for black. Further classes have the
same colours darker, then lighter: no larger set can be told apart safely, so pages show the names
of classes as well.
"""

from __future__ import annotations

_BASE = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (140, 140, 140),
)


def _mixed(colour: tuple[int, int, int], other: int, share: float) -> str:
    """Return a colour mixed with a grey value, as `#rrggbb`."""
    return "#" + "".join(f"{round(value + (other - value) * share):02x}" for value in colour)


CLASS_COLOURS = tuple(
    _mixed(colour, other, share)
    for other, share in ((0, 0.0), (0, 0.4), (255, 0.5))
    for colour in _BASE
)
"""The colour of each class by its index, as `#rrggbb`; a class after the last begins anew."""


def class_colour(index: int) -> str:
    """Return the colour of the class with an index, as `#rrggbb`."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def class_rgb(index: int) -> tuple[int, int, int]:
    """Return the colour of the class with an index as red, green and blue."""
    text = class_colour(index)
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
