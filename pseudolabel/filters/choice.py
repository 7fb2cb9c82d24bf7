"""Which of the images that their own predictions would let stay are chosen, over the whole pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pseudolabel.params.filtering import Filter
from pseudolabel.records import Annotations


@dataclass(frozen=True)
class Labels:
    """How many labels of which class each image has, a row for each image and class.

    Attributes:
        image_rows: (p,) row of the image among those of the pool.
        classes: (p,) position of the class.
        counts: (p,) labels.
    """

    image_rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(
        cls, silver: Annotations, image_rows: NDArray[np.int64], classes: NDArray[np.int64]
    ) -> Labels:
        """Return the counts of the rows that are labels, and not hidden."""
        wide = int(classes.max(initial=0)) + 1
        cells = (image_rows * wide + classes)[~silver.crowds]
        cells, counts = np.unique(cells, return_counts=True)
        return cls(cells // wide, cells % wide, counts)

    @classmethod
    def concatenate(cls, parts: Sequence[Labels]) -> Labels:
        """Return the rows of all parts, in order."""
        columns = (
            np.concatenate([getattr(it, field.name) for it in parts]) for field in fields(cls)
        )
        return cls(*columns)


def top_share(
    reliabilities: NDArray[np.float32], readable: NDArray[np.bool_], section: Filter
) -> NDArray[np.bool_]:
    """Return which of (n,) images are among the most reliable ones of those that can be read.

    The share is one of all readable images, whatever else drops them: so a higher threshold never
    lets another image in. Of equally reliable ones, the first are taken.
    """
    chosen = np.zeros(len(reliabilities), bool)
    rows = np.flatnonzero(readable)
    ranked = rows[np.argsort(-reliabilities[rows], kind="stable")]
    chosen[ranked[: int(np.ceil(section.top_share * len(rows)))]] = True
    return chosen


def within_quotas(
    labels: Labels, reliabilities: NDArray[np.float32], kept: NDArray[np.bool_], most: int
) -> NDArray[np.bool_]:
    """Return which images fill a class's quota, the most reliable first.

    An image stays where, for at least one of its classes, the more reliable images have fewer than
    `most` labels; so a class gets its quota though common ones share its images. Images without any
    label stay.

    Args:
        labels: of all images.
        reliabilities: (n,) of the images.
        kept: (n,) which images count.
        most: labels of a class.
    """
    own = kept[labels.image_rows]
    rows, classes, counts = labels.image_rows[own], labels.classes[own], labels.counts[own]
    order = np.lexsort((rows, -reliabilities[rows], classes))
    rows, classes, counts = rows[order], classes[order], counts[order]
    sums = np.cumsum(counts) - counts
    first = np.flatnonzero(np.diff(classes, prepend=-1))
    before = sums - np.repeat(sums[first], np.diff(first, append=len(classes)))
    chosen = kept.copy()
    chosen[rows] = False
    chosen[rows[before < most]] = True
    return chosen
