"""The records of the pipeline: columns of equal length, one row per image or per label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.columns import Columns, object_array, positions
from pseudolabel.core.prediction_records import LabelMaps, Probabilities

GOLD_ROUND = 0
"""The `round` of a human annotation; silver comes from rounds 1 and up."""
REVIEW_ROUND = -1
"""The `round` of an annotation that a person confirmed, corrected or added in a review."""
REVIEW = "review"
"""The `source` of such an annotation in COCO files."""


@dataclass(frozen=True)
class Category:
    """One class of the data set, with its id in the COCO files."""

    id: int
    name: str


@dataclass(frozen=True)
class Images(Columns):
    """The images of one split, one row per image.

    Attributes:
        ids: (n,) int64.
        file_names: (n,) object, paths relative to the image folder, with forward slashes.
        widths: (n,) int32, pixels.
        heights: (n,) int32, pixels.
        hashes: (n,) object, content hash of each file as hex; empty if the file was not read.
    """

    ids: NDArray[np.int64]
    file_names: NDArray[np.object_]
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    hashes: NDArray[np.object_]

    @classmethod
    def build(
        cls,
        ids: Sequence[int],
        file_names: Sequence[str],
        widths: Sequence[int],
        heights: Sequence[int],
        hashes: Sequence[str] | None = None,
    ) -> Images:
        """Return images from plain sequences of equal length."""
        return cls(
            np.asarray(ids, np.int64),
            object_array(file_names),
            np.asarray(widths, np.int32),
            np.asarray(heights, np.int32),
            object_array(hashes if hashes is not None else [""] * len(ids)),
        )

    @classmethod
    def empty(cls) -> Images:
        """Return a record of no images."""
        return cls.build([], [], [], [])


@dataclass(frozen=True)
class Annotations(Columns):
    """Gold, silver or predicted labels.

    A row is an object, the class of an image, or the pixels of one class in an image.

    Attributes:
        ids: (n,) int64; 0 for predictions, which have no ids yet.
        image_ids: (n,) int64.
        category_ids: (n,) int32.
        boxes_xyxy: (n, 4) float32, pixels of the original image; NaN if a label has no box.
        areas: (n,) float32, square pixels.
        crowds: (n,) bool, COCO's iscrowd.
        scores: (n,) float32, 0 to 1; 1 for gold.
        rounds: (n,) int16, the round that predicted the row; GOLD_ROUND for gold, REVIEW_ROUND for
            reviewed rows.
        masks: (n,) object, the pixels of each object in its whole image, as bytes of COCO's
            compressed run lengths; empty bytes if a label has no mask.
        stabilities: (n,) float32, 0 to 1, how little a predicted mask changes as its threshold
            moves; NaN if the model does not report it.
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
        """Return human annotations from plain sequences of equal length."""
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
            object_array(masks) if masks is not None else np.full(count, b"", object),
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
        """Return boxes that one round predicted; areas are those of the boxes."""
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
            np.full(count, b"", object),
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
        """Return predicted rows without boxes: classes of images or of pixels."""
        boxes = np.full((len(image_ids), 4), np.nan, np.float32)
        rows = cls.predicted(image_ids, category_ids, boxes, scores, round_number)
        return replace(rows, areas=areas.astype(np.float32, copy=False))

    @classmethod
    def empty(cls) -> Annotations:
        """Return a record of no rows."""
        return cls.gold([], [], [], [], [], [])

    def by_image(self, image_ids: NDArray[np.int64]) -> Iterator[Annotations]:
        """Yield the rows of each of (n,) images; rows of one image keep their order."""
        rows = self[np.argsort(self.image_ids, kind="stable")]
        begins = np.searchsorted(rows.image_ids, image_ids, "left")
        ends = np.searchsorted(rows.image_ids, image_ids, "right")
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            yield rows[begin:end]

    def class_indices(self, categories: Sequence[Category]) -> NDArray[np.int64]:
        """Return the (n,) index of each row's class among the categories."""
        return positions(self.category_ids, category_ids_of(categories))


@dataclass(frozen=True)
class Dataset:
    """One split: its images, its annotations and its classes."""

    images: Images
    annotations: Annotations
    categories: tuple[Category, ...]

    @classmethod
    def empty(cls, categories: tuple[Category, ...] = ()) -> Dataset:
        """Return a data set of no images."""
        return cls(Images.empty(), Annotations.empty(), categories)

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in order of the categories."""
        return [category.name for category in self.categories]

    @property
    def class_indices(self) -> NDArray[np.int64]:
        """The (m,) index of each annotation's class among the categories."""
        return self.annotations.class_indices(self.categories)


Predictions = Annotations | Probabilities | LabelMaps
"""A model's predictions for some images; the type depends on the kind of label."""


def category_ids_of(categories: Sequence[Category]) -> NDArray[np.int32]:
    """Return the (c,) ids of the categories."""
    return np.array([category.id for category in categories], np.int32)
