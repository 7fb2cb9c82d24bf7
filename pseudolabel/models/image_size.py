"""The input size of a model: a parameter, or taken from the images of gold."""

from __future__ import annotations

import numpy as np

from pseudolabel.core.errors import ModelError
from pseudolabel.core.records import Images
from pseudolabel.params.common import AUTO, Params

LONGEST_SIDE = 256
"""`auto` shrinks larger images to this many pixels, so that a CPU can train in minutes."""
_MULTIPLE = 32
"""The largest stride of common backbones."""


def resolve_image_size(params: Params, gold: Images) -> Params:
    """Return params in which `model.image_size: auto` is replaced by a width and height.

    They are the median width and height of gold's images, shrunk to LONGEST_SIDE if they are
    larger, and rounded up to a multiple of 32 pixels.

    Args:
        params: all parameters of one round.
        gold: the images of gold.

    Raises:
        ModelError: gold has no images, or `train.crop` is larger than the size.
    """
    if params.model.image_size != AUTO:
        return params
    if not len(gold):
        raise ModelError("model.image_size: auto needs images of gold, found none")
    sides = np.array([np.median(gold.widths), np.median(gold.heights)])
    sides *= min(1.0, LONGEST_SIDE / sides.max())
    width, height = (int(side) for side in np.maximum(1, np.ceil(sides / _MULTIPLE)) * _MULTIPLE)
    crop = params.train.crop
    if crop and (crop[0] > width or crop[1] > height):
        found = f"at most model.image_size ([{width}, {height}] by auto), found {list(crop)}"
        raise ModelError(f"train.crop: expected {found}")
    model = params.model.model_copy(update={"image_size": (width, height)})
    return params.model_copy(update={"model": model})
