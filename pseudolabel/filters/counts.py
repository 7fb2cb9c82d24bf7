"""What filtering did: counted by reason and class, so that everything that went in is told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pseudolabel.errors import ParamsError
from pseudolabel.formats.tables import Shard
from pseudolabel.records import Annotations, Category


def one_each(rows: Annotations) -> NDArray[np.float32]:
    """Return how much each row counts where labels are counted one by one."""
    return np.ones(len(rows), np.float32)


@dataclass(frozen=True)
class Reasons:
    """Why something is dropped.

    Attributes:
        unit: what is counted: annotations, pixels or labels.
        labels: reasons that drop one of them by itself.
        images: reasons that drop an image with all it has.
        amounts: how many units each row of labels is.
    """

    unit: str
    labels: tuple[str, ...]
    images: tuple[str, ...]
    amounts: Callable[[Annotations], NDArray[np.float32]] = one_each


@dataclass(frozen=True)
class Counts:
    """How much went in, and what became of it.

    Attributes:
        reasons: names of the rows of `dropped` and of `images_dropped`.
        dropped: (r, c) dropped, by reason (labels', then images') and class.
        kept: (c,) kept, by class.
        images_dropped: (s,) images dropped, by reason.
        images_kept: images kept.
    """

    reasons: Reasons
    dropped: NDArray[np.int64]
    kept: NDArray[np.int64]
    images_dropped: NDArray[np.int64]
    images_kept: int

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two shards together."""
        return Counts(
            self.reasons,
            self.dropped + other.dropped,
            self.kept + other.kept,
            self.images_dropped + other.images_dropped,
            self.images_kept + other.images_kept,
        )

    @classmethod
    def nothing(cls, reasons: Reasons, classes: int) -> Counts:
        """Return the counts of no shard at all."""
        dropped = np.zeros((len(reasons.labels) + len(reasons.images), classes), np.int64)
        images = np.zeros(len(reasons.images), np.int64)
        return cls(reasons, dropped, np.zeros(classes, np.int64), images, 0)

    def report(self, categories: Sequence[Category]) -> dict[str, object]:
        """Return the counts as JSON values, by reason and by class name."""
        names = [category.name for category in categories]
        went_in = self.dropped.sum(axis=0) + self.kept
        reasons = self.reasons.labels + self.reasons.images
        return {
            self.reasons.unit: {
                "in": int(went_in.sum()),
                "in_by_class": dict(zip(names, went_in.tolist(), strict=True)),
                "out": int(self.kept.sum()),
                "out_by_class": dict(zip(names, self.kept.tolist(), strict=True)),
                "dropped": {
                    reason: dict(zip(names, row.tolist(), strict=True))
                    for reason, row in zip(reasons, self.dropped, strict=True)
                    if reason != "unreadable"
                },
            },
            "images": {
                "in": int(self.images_dropped.sum()) + self.images_kept,
                "out": self.images_kept,
                "dropped": dict(
                    zip(self.reasons.images, self.images_dropped.tolist(), strict=True)
                ),
            },
        }


@dataclass(frozen=True)
class Judged:
    """What filtering made of some images.

    Attributes:
        silver: the annotations kept.
        left: (n,) boxes, pixels or labels that each image had when it was judged.
        image_reasons: (n,) index into the image reasons, -1 for an image that is kept.
        counts: what went in and what became of it.
    """

    silver: Annotations
    left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    counts: Counts


class Rule(Protocol):
    """A task's way of judging predictions."""

    @property
    def reasons(self) -> Reasons:
        """Why this rule drops anything."""

    def judge(self, shard: Shard, output: Path) -> Judged:
        """Return what becomes of a shard; maps of pixels, where there are any, go to `output`."""


def count_rows(
    reasons: Reasons,
    dropped_by: NDArray[np.int64],
    classes: NDArray[np.int64],
    image_reasons: NDArray[np.int64],
    class_count: int,
) -> Counts:
    """Return the counts of what became of rows and images.

    Args:
        reasons: the rule's reasons.
        dropped_by: (m,) index into the reasons, labels' first, then images'; -1 for a row kept.
        classes: (m,) position of each row's class.
        image_reasons: (n,) index into the image reasons, -1 for an image kept.
        class_count: number of classes.
    """
    kinds = len(reasons.labels) + len(reasons.images)
    cells = (dropped_by + 1) * class_count + classes
    table = np.bincount(cells, minlength=(kinds + 1) * class_count)
    table = table.reshape(kinds + 1, class_count)
    images = np.bincount(image_reasons + 1, minlength=len(reasons.images) + 1)
    return Counts(reasons, table[1:], table[0], images[1:], int(images[0]))


def rows_of(wanted: NDArray[np.integer[Any]], ids: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return, for each of (m,) ids, its row among (n,) ids."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids[order], wanted)]


def thresholds_of(
    score: float | dict[str, float], categories: Sequence[Category]
) -> NDArray[np.float32]:
    """Return the (c,) score threshold of each class.

    Raises:
        ParamsError: thresholds are given by class, and not for every class or for unknown ones.
    """
    names = [category.name for category in categories]
    if not isinstance(score, dict):
        return np.full(len(names), score, np.float32)
    if set(score) != set(names):
        expected, found = ", ".join(names), ", ".join(score)
        raise ParamsError(
            f"filter.score: expected a threshold for each of {expected}; found {found}"
        )
    return np.array([score[name] for name in names], np.float32)
