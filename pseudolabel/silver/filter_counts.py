"""Counts of a filter, by reason and class: every prediction is kept, hidden or dropped once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.records import Annotations, Category

POOL_REASONS = ("top_share", "max_per_class")
"""Reasons to drop an image that its own predictions would keep: other images are better."""


def _count_one_each(rows: Annotations) -> NDArray[np.float32]:
    """Return (m,) ones: each row is one label."""
    return np.ones(len(rows), np.float32)


@dataclass(frozen=True)
class Reasons:
    """The reasons of a filter to drop labels and images.

    Attributes:
        unit: the unit of counts: annotations, pixels or labels.
        labels: reasons to drop a single label.
        images: reasons to drop an image with all its labels.
        amounts: returns the number of units of each row of labels.
    """

    unit: str
    labels: tuple[str, ...]
    images: tuple[str, ...]
    amounts: Callable[[Annotations], NDArray[np.float32]] = _count_one_each


@dataclass(frozen=True)
class Counts:
    """The numbers of labels and images that a filter kept, hid and dropped.

    Attributes:
        reasons: names of the rows of `dropped` and of `images_dropped`.
        dropped: (r, c) units dropped, by reason (label reasons, then image reasons) and class.
        hidden: (c,) units hidden from training by class: neither label nor background.
        kept: (c,) units kept, by class.
        images_dropped: (s,) images dropped, by image reason.
        images_kept: number of images kept.
    """

    reasons: Reasons
    dropped: NDArray[np.int64]
    hidden: NDArray[np.int64]
    kept: NDArray[np.int64]
    images_dropped: NDArray[np.int64]
    images_kept: int

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two sets of predictions together."""
        return Counts(
            self.reasons,
            self.dropped + other.dropped,
            self.hidden + other.hidden,
            self.kept + other.kept,
            self.images_dropped + other.images_dropped,
            self.images_kept + other.images_kept,
        )

    @classmethod
    def zero(cls, reasons: Reasons, classes: int) -> Counts:
        """Return the counts of no predictions, for a number of classes."""
        dropped = np.zeros((len(reasons.labels) + len(reasons.images), classes), np.int64)
        images = np.zeros(len(reasons.images), np.int64)
        hidden, kept = np.zeros((2, classes), np.int64)
        return cls(reasons, dropped, hidden, kept, images, 0)

    @classmethod
    def from_rows(
        cls,
        reasons: Reasons,
        label_reasons: NDArray[np.int64],
        image_reasons: NDArray[np.int64],
        image_rows: NDArray[np.int64],
        hidden: NDArray[np.bool_],
        classes: NDArray[np.int64],
        class_count: int,
    ) -> Counts:
        """Return the counts of labels and images; each label counts under exactly one outcome.

        A label counts under its label reason if it has one, else under the reason of its image.
        Labels without a reason are hidden or kept.

        Args:
            reasons: the filter's reasons.
            label_reasons: (m,) index into the label reasons, -1 for none.
            image_reasons: (n,) index into the image reasons, -1 for an image that is kept.
            image_rows: (m,) row of each label's image.
            hidden: (m,) whether a label that no reason drops is hidden instead of kept.
            classes: (m,) index of each label's class.
            class_count: number of classes.
        """
        by_image = image_reasons[image_rows]
        row_reasons = np.where(by_image >= 0, len(reasons.labels) + by_image, -1)
        row_reasons = np.where(label_reasons >= 0, label_reasons, row_reasons)
        drops = row_reasons >= 0
        kinds = len(reasons.labels) + len(reasons.images)
        cells = row_reasons[drops] * class_count + classes[drops]
        dropped = np.bincount(cells, minlength=kinds * class_count)
        images = np.bincount(image_reasons + 1, minlength=len(reasons.images) + 1)
        return cls(
            reasons,
            dropped.reshape(kinds, class_count),
            np.bincount(classes[~drops & hidden], minlength=class_count),
            np.bincount(classes[~drops & ~hidden], minlength=class_count),
            images[1:],
            int(images[0]),
        )

    def drop_images(
        self, rows: Annotations, classes: NDArray[np.int64], reason: str, images: int
    ) -> Counts:
        """Return the counts after some of the kept images are dropped as well.

        Args:
            rows: the labels and hidden objects of these images.
            classes: (m,) index of each row's class.
            reason: the image reason to count them under.
            images: number of images that are dropped.
        """
        amounts = self.reasons.amounts(rows)
        hidden, kept = (
            np.bincount(classes[part], amounts[part], len(self.kept)).astype(np.int64)
            for part in (rows.crowds, ~rows.crowds)
        )
        row = self.reasons.images.index(reason)
        dropped, images_dropped = self.dropped.copy(), self.images_dropped.copy()
        dropped[len(self.reasons.labels) + row] += hidden + kept
        images_dropped[row] += images
        return Counts(
            self.reasons,
            dropped,
            self.hidden - hidden,
            self.kept - kept,
            images_dropped,
            self.images_kept - images,
        )

    def report(self, categories: Sequence[Category]) -> dict[str, Any]:
        """Return the counts as JSON values, by reason and class name."""
        names = [category.name for category in categories]
        went_in = self.dropped.sum(axis=0) + self.hidden + self.kept
        shares = (self.kept / max(1, int(self.kept.sum()))).round(6)
        reasons = self.reasons.labels + self.reasons.images

        def by_class(values: NDArray[Any]) -> dict[str, Any]:
            return dict(zip(names, values.tolist(), strict=True))

        return {
            self.reasons.unit: {
                "in": int(went_in.sum()),
                "in_by_class": by_class(went_in),
                "out": int(self.kept.sum()),
                "out_by_class": by_class(self.kept),
                "out_shares": by_class(shares),
                "hidden_by_class": by_class(self.hidden),
                "dropped": {
                    reason: by_class(row)
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
