"""Predictions that are known for some images, because a file has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Images, Predictions

_ENOUGH = 0.5
"""A file that does not list its images counts as made for a split from this share of it on."""


@dataclass(frozen=True)
class KnownPredictions:
    """The predictions of a file.

    Attributes:
        name: the path of the file.
        digest: the SHA-256 of its content.
        covered: (n,) sorted ids of the images that the file has predictions for.
        lists_images: whether the file lists its images. If not, an image without predictions may
            be one without objects.
        left_out: the number of predictions that were left out, by reason.
        find: returns the predictions for (m,) ids of images.
    """

    name: str
    digest: str
    covered: NDArray[np.int64]
    lists_images: bool
    left_out: Mapping[str, int]
    find: Callable[[NDArray[np.int64]], Predictions]

    def lacking(self, images: Images) -> NDArray[np.bool_]:
        """Return which of (n,) images of a split lack predictions.

        If the file does not list its images, an image without predictions has no objects, as long
        as the file has predictions for at least half of the images.
        """
        lacking = ~np.isin(images.ids, self.covered)
        if not self.lists_images and lacking.sum() <= (1 - _ENOUGH) * len(images):
            return np.zeros(len(images), bool)
        return lacking

    def require(self, images: Images, split: str) -> None:
        """Raise if images of a split lack predictions.

        Raises:
            DataError: one fault per image, or one for the split if the file lists no images.
        """
        names = [str(name) for name in images.file_names[self.lacking(images)]]
        if not names:
            return
        if self.lists_images:
            expected = f"predictions for every image of {split}"
            raise DataError(
                [Fault(self.name, f"image {name!r}", expected, "none") for name in names]
            )
        found = f"{len(images) - len(names):,} of {len(images):,}"
        expected = "predictions for at least half of them, or a COCO file that lists `images`"
        raise DataError([Fault(self.name, split, expected, found)])

    def describe(self, splits: Mapping[str, Images]) -> str:
        """Return a line with the number of images by split, and of what was left out."""
        counts = ", ".join(
            f"{int(np.isin(images.ids, self.covered).sum()):,} of {len(images):,} of {split}"
            for split, images in splits.items()
            if len(images)
        )
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        return f"{self.name}: predictions for {counts}" + f"; left out: {left_out}" * bool(left_out)
