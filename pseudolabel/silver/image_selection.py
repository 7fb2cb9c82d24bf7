"""Select images over the whole pool: the most reliable share, and quotas per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.records import Annotations


@dataclass(frozen=True)
class LabelCounts:
    """The number of labels per image and class: one row per image and class.

    Attributes:
        image_rows: (p,) row of the image in the pool.
        classes: (p,) index of the class.
        counts: (p,) number of labels.
    """

    image_rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def from_silver(
        cls, silver: Annotations, image_rows: NDArray[np.int64], classes: NDArray[np.int64]
    ) -> LabelCounts:
        """Return the counts of silver labels; hidden objects do not count.

        Args:
            silver: (m,) labels and hidden objects.
            image_rows: (m,) row of each label's image in the pool.
            classes: (m,) index of each label's class.
        """
        width = int(classes.max(initial=0)) + 1
        cells = (image_rows * width + classes)[~silver.crowds]
        cells, counts = np.unique(cells, return_counts=True)
        return cls(cells // width, cells % width, counts)

    @classmethod
    def concatenate(cls, parts: Sequence[LabelCounts]) -> LabelCounts:
        """Return the rows of all parts, in order."""
        columns = (
            np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)
        )
        return cls(*columns)


def most_reliable(
    reliabilities: NDArray[np.float32], readable: NDArray[np.bool_], top_share: float
) -> NDArray[np.bool_]:
    """Return which of (n,) images belong to the most reliable share of all readable images.

    Images that other filters drop count as well, so that a higher threshold never lets another
    image in. Of equally reliable images, the first ones are taken.
    """
    chosen = np.zeros(len(reliabilities), bool)
    rows = np.flatnonzero(readable)
    ranked = rows[np.argsort(-reliabilities[rows], kind="stable")]
    chosen[ranked[: int(np.ceil(top_share * len(rows)))]] = True
    return chosen


def within_quotas(
    labels: LabelCounts,
    reliabilities: NDArray[np.float32],
    kept: NDArray[np.bool_],
    max_per_class: int,
) -> NDArray[np.bool_]:
    """Return which images are needed to fill the quotas of classes, the most reliable ones first.

    An image stays if, for at least one of its classes, more reliable images have fewer than
    `max_per_class` labels: rare classes reach their quota although common ones share their images.
    Images without labels stay.

    Args:
        labels: the labels of all images.
        reliabilities: (n,) reliability of each image.
        kept: (n,) the images that count.
        max_per_class: the quota of labels per class.
    """
    on_kept = kept[labels.image_rows]
    rows = labels.image_rows[on_kept]
    classes, counts = labels.classes[on_kept], labels.counts[on_kept]
    order = np.lexsort((rows, -reliabilities[rows], classes))
    rows, classes, counts = rows[order], classes[order], counts[order]
    sums = np.cumsum(counts) - counts
    first = np.flatnonzero(np.diff(classes, prepend=-1))
    before = sums - np.repeat(sums[first], np.diff(first, append=len(classes)))
    chosen = kept.copy()
    chosen[rows] = False
    chosen[rows[before < max_per_class]] = True
    return chosen
