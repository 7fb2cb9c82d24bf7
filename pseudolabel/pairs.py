"""Pairs of rows that share a group, in portions that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

PAIRS_AT_ONCE = 4_000_000
"""Pairs that are given in one go: bounds the memory, not the result."""


def pairs_within(groups: NDArray[np.int64] | NDArray[np.uint64]) -> Iterator[tuple[Rows, Rows]]:
    """Yield all pairs of rows i < j of one group, (p,) rows i and (p,) rows j at a time.

    Args:
        groups: (n,) group of each row, rows of one group next to each other.
    """
    changes = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    sizes = np.diff(np.concatenate([[0], changes, [len(groups)]]))
    followers = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(groups)) - 1
    for begin, end in chunks_of(followers, PAIRS_AT_ONCE):
        counts = followers[begin:end]
        first = np.repeat(np.arange(begin, end), counts)
        step = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield first, first + step + 1


def chunks_of(weights: NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    """Return ranges of rows, each weighing at most `limit` or holding a single row."""
    total = np.cumsum(weights)
    ranges, begin = [], 0
    while begin < len(weights):
        done = total[begin - 1] if begin else 0
        end = max(int(np.searchsorted(total, done + limit, "right")), begin + 1)
        ranges.append((begin, end))
        begin = end
    return ranges
