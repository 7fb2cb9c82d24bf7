"""Batches of one size: so the prediction for an image does not depend on the images beside it.

Models compute batches of different sizes with different rounding. In full batches, an image has the
same prediction, bit by bit, in any order of the pool, in any part of it, and after it has grown.
"""

from __future__ import annotations

import copy
from typing import Any


def predict_full_batch(model: Any, batch: dict[str, list[Any]], size: int) -> list[Any]:
    """Return a model's results for each image of a batch, which may have fewer images than others.

    Args:
        model: a model of mmdet, mmsegmentation or mmpretrain.
        batch: `inputs` and `data_samples`, one of each per image.
        size: the number of images of a full batch; the last image is repeated up to it.
    """
    count = len(batch["inputs"])
    repeated = {
        name: values + [copy.deepcopy(values[-1]) for _ in range(size - count)]
        for name, values in batch.items()
    }
    return list(model.test_step(repeated))[:count]
