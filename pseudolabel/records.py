"""The records that flow through the pipeline: images and annotations as columns, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLD_ROUND = 0
"""The `round` of a human annotation; silver comes from rounds 1 and up."""


@dataclass(frozen=True)
class Category:
    """One class of the data set, with its id in the COCO files."""

    id: int
    name: str


@dataclass(frozen=True)
class Images:
    """The images of one split, one row an image.

    Attributes:
        ids: (n,) int64.
        file_names: (n,) object, paths relative to the image folder, with forward slashes.
        widths: (n,) int32, pixels.
        heights: (n,) int32, pixels.
        hashes: (n,) object, content hash of each file as hex, empty where it was not read.
    """

    ids: NDArray[np.int64]
    file_names: NDArray[np.object_]
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    hashes: NDArray[np.object_]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.ids)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Images:
        """Return the images of a boolean mask, of row numbers or of a slice."""
        return Images(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def build(
        cls,
        ids: Sequence[int],
        file_names: Sequence[str],
        widths: Sequence[int],
        heights: Sequence[int],
        hashes: Sequence[str] | None = None,
    ) -> Images:
        """Return the images of plain sequences of equal length."""
        return cls(
            np.asarray(ids, np.int64),
            object_array(file_names),
            np.asarray(widths, np.int32),
            np.asarray(heights, np.int32),
            object_array(hashes if hashes is not None else [""] * len(ids)),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Images]) -> Images:
        """Return the rows of all parts, in order."""
        columns = (
            np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)
        )
        return cls(*columns) if parts else cls.build([], [], [], [])


@dataclass(frozen=True)
class Annotations:
    """Gold, silver or predicted labels, one row an object, an image's class or a class's pixels.

    Attributes:
        ids: (n,) int64; 0 where a row has no id yet, as predictions have none.
        image_ids: (n,) int64.
        category_ids: (n,) int32.
        boxes_xyxy: (n, 4) float32, pixels of the original image; NaN where a label has no box,
            as that of a whole image.
        areas: (n,) float32, square pixels.
        crowds: (n,) bool, COCO's iscrowd.
        scores: (n,) float32, 0 to 1; 1 for gold.
        rounds: (n,) int16, the round that predicted the row; GOLD_ROUND for gold.
        masks: (n,) object, each object's pixels as bytes of COCO's compressed run lengths over its
            whole image; empty where there is no mask.
        stabilities: (n,) float32, 0 to 1, how little a predicted mask changes as its threshold
            moves; NaN where the model does not tell.
    """

    ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int32]
    boxes_xyxy: NDArray[np.float32]
    areas: NDArray[np.float32]
    crowds: NDArray[np.bool_]
    scores: NDArray[np.float32]
    rounds: NDArray[np.int16]
    masks: NDArray[np.object_]
    stabilities: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of annotations."""
        return len(self.image_ids)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Annotations:
        """Return the annotations of a boolean mask, of row numbers or of a slice."""
        return Annotations(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def gold(
        cls,
        ids: Sequence[int],
        image_ids: Sequence[int],
        category_ids: Sequence[int],
        boxes_xyxy: Sequence[Sequence[float]] | NDArray[np.float32],
        areas: Sequence[float] | NDArray[np.float32],
        crowds: Sequence[bool],
        masks: Sequence[bytes] | None = None,
    ) -> Annotations:
        """Return human annotations of plain sequences of equal length."""
        count = len(ids)
        return cls(
            np.asarray(ids, np.int64),
            np.asarray(image_ids, np.int64),
            np.asarray(category_ids, np.int32),
            np.asarray(boxes_xyxy, np.float32).reshape(-1, 4),
            np.asarray(areas, np.float32),
            np.asarray(crowds, bool),
            np.ones(count, np.float32),
            np.full(count, GOLD_ROUND, np.int16),
            object_array(masks) if masks is not None else no_masks(count),
            np.full(count, np.nan, np.float32),
        )

    @classmethod
    def predicted(
        cls,
        image_ids: NDArray[np.int64],
        category_ids: NDArray[np.int32],
        boxes_xyxy: NDArray[np.float32],
        scores: NDArray[np.float32],
        round_number: int,
    ) -> Annotations:
        """Return boxes that one round predicted, without ids, their areas those of the boxes."""
        count = len(image_ids)
        sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        return cls(
            np.zeros(count, np.int64),
            image_ids.astype(np.int64, copy=False),
            category_ids.astype(np.int32, copy=False),
            boxes_xyxy.astype(np.float32, copy=False),
            sides.prod(axis=1, dtype=np.float32),
            np.zeros(count, bool),
            scores.astype(np.float32, copy=False),
            np.full(count, round_number, np.int16),
            no_masks(count),
            np.full(count, np.nan, np.float32),
        )

    @classmethod
    def of_classes(
        cls,
        image_ids: NDArray[np.int64],
        category_ids: NDArray[np.int32],
        areas: NDArray[np.float32],
        scores: NDArray[np.float32],
        round_number: int,
    ) -> Annotations:
        """Return rows without ids and boxes: classes of images, or of an image's pixels."""
        boxes = np.full((len(image_ids), 4), np.nan, np.float32)
        rows = cls.predicted(image_ids, category_ids, boxes, scores, round_number)
        return replace(rows, areas=areas.astype(np.float32, copy=False))

    @classmethod
    def empty(cls) -> Annotations:
        """Return a record of no rows."""
        return cls.gold([], [], [], [], [], [])

    @classmethod
    def concatenate(cls, parts: Sequence[Annotations]) -> Annotations:
        """Return the rows of all parts, in order."""
        columns = (
            np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)
        )
        return cls(*columns) if parts else cls.empty()


@dataclass(frozen=True)
class Dataset:
    """One split: its images, its annotations and the classes they may have."""

    images: Images
    annotations: Annotations
    categories: tuple[Category, ...]


@dataclass(frozen=True)
class Probabilities:
    """What a classifier said of some images.

    Attributes:
        image_ids: (n,) int64.
        values: (n, c) float32, the probability of each class, in order of the categories.
    """

    image_ids: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class LabelMaps:
    """What a segmentation model said of some images, each at its original size.

    Attributes:
        image_ids: (n,) int64.
        labels: n maps, each (h, w) uint8, the position of the pixel's class among the categories.
        confidences: n maps, each (h, w) uint8, the class's probability in 255ths.
    """

    image_ids: NDArray[np.int64]
    labels: list[NDArray[np.uint8]]
    confidences: list[NDArray[np.uint8]]


Found = Annotations | Probabilities | LabelMaps
"""What a model predicts for a batch of images, by its task."""


def category_ids_of(categories: Sequence[Category]) -> NDArray[np.int32]:
    """Return the (c,) ids of categories."""
    return np.array([category.id for category in categories], np.int32)


def positions(wanted: NDArray[np.integer[Any]], ids: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return, for each of (m,) ids, its position among (n,) ids."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids[order], wanted)]


def no_masks(count: int) -> NDArray[np.object_]:
    """Return the masks of `count` rows that have none."""
    return np.full(count, b"", object)


def object_array(values: Sequence[str] | Sequence[bytes]) -> NDArray[np.object_]:
    """Return the values as an (n,) array of objects, whatever their lengths."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
