"""Objects of a file of predictions, collected row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.columns import object_array
from pseudolabel.core.records import Annotations

Box = tuple[float, float, float, float]


@dataclass
class ObjectRows:
    """Predicted objects as growing columns."""

    image_ids: list[int] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    masks: list[bytes] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)

    def add(
        self, image_id: int, index: int, box: Box, score: float, mask: bytes, area: float
    ) -> None:
        """Add an object.

        Args:
            image_id: the id of its image.
            index: the index of its class.
            box: x1, y1, x2, y2 in pixels.
            score: 0 to 1.
            mask: compressed run lengths, empty for a box.
            area: in pixels.
        """
        self.image_ids.append(image_id)
        self.classes.append(index)
        self.boxes.append(box)
        self.scores.append(score)
        self.masks.append(mask)
        self.areas.append(area)

    def finder(
        self, category_ids: NDArray[np.int32], round_number: int
    ) -> Callable[[NDArray[np.int64]], Annotations]:
        """Return a function from ids of images to their objects, best first within an image.

        Args:
            category_ids: (c,) id of each class.
            round_number: the round to write beside each object.
        """
        rows = Annotations.predicted(
            np.array(self.image_ids, np.int64),
            category_ids[np.array(self.classes, np.int64)],
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.scores, np.float32),
            round_number,
        )
        areas = np.array(self.areas, np.float32)
        rows = replace(rows, masks=object_array(self.masks), areas=areas)
        rows = rows[np.lexsort((-rows.scores, rows.image_ids))]

        def find(image_ids: NDArray[np.int64]) -> Annotations:
            # Not `by_image`, which would sort all rows for each batch of images.
            begins = np.searchsorted(rows.image_ids, image_ids, "left").tolist()
            ends = np.searchsorted(rows.image_ids, image_ids, "right").tolist()
            ranges = [np.arange(*pair) for pair in zip(begins, ends, strict=True)]
            return rows[np.concatenate([np.empty(0, np.int64), *ranges])]

        return find


def clipped_box(box: Box, size: tuple[int, int]) -> Box:
    """Return a box inside its image: models often predict a little more."""
    width, height = size
    x1, y1, x2, y2 = box
    return (
        min(max(x1, 0.0), width),
        min(max(y1, 0.0), height),
        min(max(x2, 0.0), width),
        min(max(y2, 0.0), height),
    )
