"""What a person did with the labels that were sent: confirmed, moved, renamed, added or removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pseudolabel.core import masks
from pseudolabel.core.boxes import iou_matrix
from pseudolabel.review.labels import Label, LabelledImage

KINDS = ("confirmed", "moved", "renamed", "added", "removed")
_SAME_OBJECT = 0.5
"""Two shapes belong to one object if their IoU is at least this."""
_SAME_SHAPE = 0.995
"""From this IoU on, a shape was not moved: tools round its corners."""


def compare_labels(
    sent: Iterable[Label], returned: Iterable[Label], size: tuple[int, int]
) -> Counter[str]:
    """Return how many labels of an image are of each kind.

    Shapes are matched so that the sum of their IoUs is largest, whatever their classes. A label
    with another class counts as renamed, even if it was moved, too.

    Args:
        sent: the predicted labels.
        returned: the labels of the person.
        size: height and width of the image.
    """
    before, after = list(sent), list(returned)
    overlaps = _overlaps(before, after, size)
    counts: Counter[str] = Counter()
    matched = [
        (row, column)
        for row, column in zip(*linear_sum_assignment(-overlaps), strict=True)
        if overlaps[row, column] >= _SAME_OBJECT
    ]
    for row, column in matched:
        if before[row].name != after[column].name:
            counts["renamed"] += 1
        elif overlaps[row, column] < _SAME_SHAPE:
            counts["moved"] += 1
        else:
            counts["confirmed"] += 1
    counts["removed"] = len(before) - len(matched)
    counts["added"] = len(after) - len(matched)
    return +counts


def compare_images(
    sent: Iterable[LabelledImage], returned: Iterable[LabelledImage]
) -> Counter[str]:
    """Return how many labels of all returned images are of each kind."""
    before = {image.file_name: image for image in sent}
    total: Counter[str] = Counter()
    for image in returned:
        size = image.height, image.width
        total += compare_labels(before[image.file_name].labels, image.labels, size)
    return total


def _overlaps(
    before: list[Label], after: list[Label], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the (n, m) IoU of labels; the class of a whole image covers all of it."""
    if any(label.mask is not None for label in [*before, *after]):
        one, other = ([label.mask or b"" for label in labels] for labels in (before, after))
        return masks.iou_matrix(one, other, *size).astype(np.float64)
    if any(label.box is not None for label in [*before, *after]):
        return iou_matrix(_corners(before), _corners(after)).astype(np.float64)
    return np.ones((len(before), len(after)))


def _corners(labels: list[Label]) -> NDArray[np.float32]:
    """Return the (n, 4) corners of boxes."""
    boxes = np.array([label.box for label in labels if label.box], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
