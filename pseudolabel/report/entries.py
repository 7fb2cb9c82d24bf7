"""What the silver page knows of an image of the pool, for each kind of label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.records import Category
from pseudolabel.formats.shards import Shard

_SCORE_BINS = 20
"""Bins of the filter by score."""
KEPT, HIDDEN = 0, 1
FIRST_REASON = 2
"""The outcome of a label on the page: KEPT, HIDDEN, or this number and the index of its reason."""


@dataclass(frozen=True)
class Entry:
    """One image of the pool.

    Attributes:
        image_id: its id.
        count: the number of its silver labels: objects, classes in its map, or its class.
        classes: the indices of the classes of its silver labels.
        bins: one bit for each bin of scores that a silver label is in.
        reasons: one bit for each reason for which a label was dropped.
        doubt: 0 to 1, how uncertain the teacher is.
        changed: the labels or pixels that differ from the round before, and those compared.
        labels: the labels as the page draws them.
        before: the labels of the round before, in the same form, if they differ.
    """

    image_id: int
    count: int
    classes: list[int]
    bins: int
    reasons: int
    doubt: float
    changed: tuple[int, int]
    labels: list[Any]
    before: list[Any]


@dataclass(frozen=True)
class RoundSilver:
    """The silver of a round, beside the predictions that it was filtered from.

    Attributes:
        predictions: the folder of predictions.
        silver: the silver folder.
        before: the silver folder of the round before; None in round 1.
        categories: the classes.
        reasons: the names of all reasons to drop labels or images.
        temperature: of the scores.
        output: the folder to write label maps to.
    """

    predictions: Path
    silver: Path
    before: Path | None
    categories: tuple[Category, ...]
    reasons: list[str]
    temperature: float
    output: Path


IndexShard = Callable[[RoundSilver, Shard], Iterator[Entry]]
"""Yields the entries of a shard's images in order; an image that was not read has none."""


def score_bins(scores: NDArray[np.floating[Any]]) -> int:
    """Return a number with one bit for each bin that has a score."""
    bins = np.minimum((scores * _SCORE_BINS).astype(np.int64), _SCORE_BINS - 1)
    return bits(np.unique(bins).tolist())


def bits(positions: Sequence[int]) -> int:
    """Return a number with the bits at some positions, each given once."""
    return sum(1 << position for position in positions)


def binary_doubt(scores: NDArray[np.floating[Any]]) -> float:
    """Return the mean of 4 s (1 - s): 0 for scores of 0 and 1, 1 for scores of 0.5."""
    return round(float((4 * scores * (1 - scores)).mean()), 3) if len(scores) else 0.0
