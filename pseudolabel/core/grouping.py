"""Pairs of rows of the same group, in chunks that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Values = NDArray[np.int64] | NDArray[np.uint64]

_PAIRS_PER_CHUNK = 4_000_000
"""Largest number of pairs per chunk: a limit of memory that does not change the result."""


def pairs_within(groups: Values) -> Iterator[tuple[Rows, Rows]]:
    """Yield all pairs of rows i < j of the same group, in chunks of (p,) rows i and (p,) rows j.

    Args:
        groups: (n,) group of each row; rows of the same group must be adjacent.
    """
    changes = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    sizes = np.diff(np.concatenate([[0], changes, [len(groups)]]))
    followers = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(groups)) - 1
    for begin, end in _chunk_ranges(followers, _PAIRS_PER_CHUNK):
        counts = followers[begin:end]
        first = np.repeat(np.arange(begin, end), counts)
        step = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield first, first + step + 1


def pairs_between(values: Values, others: Values) -> Iterator[tuple[Rows, Rows]]:
    """Yield all pairs of equal values of two columns, in chunks of (p,) rows of each.

    Args:
        values: (n,) sorted values.
        others: (m,) sorted values.
    """
    starts = np.searchsorted(values, others, "left")
    partners = np.searchsorted(values, others, "right") - starts
    for begin, end in _chunk_ranges(partners, _PAIRS_PER_CHUNK):
        counts = partners[begin:end]
        second = np.repeat(np.arange(begin, end), counts)
        step = np.arange(len(second)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield np.repeat(starts[begin:end], counts) + step, second


def _chunk_ranges(weights: NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    """Return ranges of rows whose total weight is at most `limit`; a range has at least one row."""
    total = np.cumsum(weights)
    ranges, begin = [], 0
    while begin < len(weights):
        done = total[begin - 1] if begin else 0
        end = max(int(np.searchsorted(total, done + limit, "right")), begin + 1)
        ranges.append((begin, end))
        begin = end
    return ranges
