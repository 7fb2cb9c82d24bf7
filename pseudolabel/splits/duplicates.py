"""Find duplicates: copies, near-duplicates and images of one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pseudolabel.core.grouping import Rows, pairs_between
from pseudolabel.core.held_out import Duplicate, find_copies
from pseudolabel.core.records import Images

_HASH_BITS = 64


@dataclass(frozen=True)
class DuplicateFinder:
    """Finds images that belong to the same split.

    Attributes:
        hashes: perceptual hashes of each image, by file name: as it is shown, and optionally of
            the same picture mirrored and turned; empty to find exact copies only.
        groups: group of each image that has one, such as a patient or a video, by file name.
        distance: bits in which the hashes of near-duplicates may differ.
    """

    hashes: Mapping[str, Sequence[int]]
    groups: Mapping[str, str]
    distance: int

    def find(self, images: Images, split: str, guarded: Images, guard: str) -> list[Duplicate]:
        """Return one pair per image of a split with a duplicate in a guarded split, by name.

        Args:
            images: the images of the split.
            split: its name.
            guarded: the images of the guarded split.
            guard: its name.
        """
        found: dict[str, Duplicate] = {}
        guarded_groups = {
            self.groups[name]: name for name in guarded.file_names[::-1] if name in self.groups
        }
        for name in images.file_names:
            twin = guarded_groups.get(self.groups.get(name, ""))
            if name in self.groups and twin is not None:
                found[name] = Duplicate(name, split, twin, guard, "group")
        if self.hashes:
            shown = self._hashes_of(images)[:, 0]
            rows, bits = _nearest_hashes(shown, self._hashes_of(guarded), self.distance)
            for row in np.flatnonzero(rows >= 0):
                name, twin = images.file_names[row], guarded.file_names[rows[row]]
                pair = Duplicate(name, split, twin, guard, "near-duplicate", int(bits[row]))
                found[name] = pair
        found |= {pair.file: pair for pair in find_copies(images, split, guarded, guard)}
        return [found[name] for name in sorted(found)]

    def duplicate_groups(self, images: Images) -> Rows:
        """Return the (n,) group of each image: duplicates, direct or indirect, share a group."""
        group_names = [
            self.groups.get(name, f"\0{row}") for row, name in enumerate(images.file_names)
        ]
        first, second = [], []
        for key in (_integer_codes(images.hashes), _integer_codes(group_names)):
            order = np.argsort(key, kind="stable")
            same = key[order[1:]] == key[order[:-1]]
            first.append(order[:-1][same])
            second.append(order[1:][same])
        if self.hashes:
            hashes = self._hashes_of(images)
            shown, row = np.unique(hashes[:, 0], return_index=True)
            turned, owner, inverse = _with_owners(hashes)
            i, j, _ = near_pairs(shown, turned, self.distance)
            first += [row[i], np.repeat(np.arange(len(images)), hashes.shape[1])]
            second += [owner[j], owner[inverse]]
        return _connected_groups(len(images), np.concatenate(first), np.concatenate(second))

    def _hashes_of(self, images: Images) -> NDArray[np.uint64]:
        """Return the (n, h) hashes of images; h is at least 1."""
        hashes = [self.hashes[name] for name in images.file_names]
        return np.array(hashes, np.uint64).reshape(len(hashes), -1 if hashes else 1)


def near_pairs(
    values: NDArray[np.uint64], others: NDArray[np.uint64], distance: int
) -> tuple[Rows, Rows, Rows]:
    """Return the pairs of a hash and another one that differ in few bits.

    Comparing all pairs would take n * m steps. Instead the 64 bits are cut into `distance` + 1
    parts. If two hashes differ in at most `distance` bits, at least one part has no difference
    (pigeonhole principle). So it is enough to sort by one part after the other, and to compare
    hashes that are equal in that part. For example, with a distance of 1, 0b1100 and 0b1101 have
    the two parts 11, 00 and 11, 01: they are compared because their first parts are equal. No
    library at hand does this for millions of hashes in memory that does not grow with the number
    of pairs.

    Args:
        values: (n,) hashes, all different.
        others: (m,) hashes, all different.
        distance: largest number of bits that may differ, below 64.

    Returns:
        (p,) rows of `values`, (p,) rows of `others` and (p,) distances.
    """
    bounds = np.linspace(0, _HASH_BITS, distance + 2).astype(np.uint64)
    found = [np.empty((3, 0), np.int64)]
    earlier_masks: list[np.uint64] = []
    for low, high in pairwise(bounds):
        mask = np.uint64((1 << int(high)) - (1 << int(low)))
        order, other_order = (
            np.argsort(column & mask, kind="stable") for column in (values, others)
        )
        for first, second in pairs_between(values[order] & mask, others[other_order] & mask):
            i, j = order[first], other_order[second]
            different = values[i] ^ others[j]
            bits = np.bitwise_count(different)
            close = bits <= distance
            # A pair that is equal in an earlier part as well was found there.
            for earlier in earlier_masks:
                close &= (different & earlier) != 0
            found.append(np.stack([i[close], j[close], bits[close].astype(np.int64)]))
        earlier_masks.append(mask)
    i, j, bits = np.concatenate(found, axis=1)
    return i, j, bits


def _nearest_hashes(
    shown: NDArray[np.uint64], guarded: NDArray[np.uint64], distance: int
) -> tuple[Rows, Rows]:
    """Return the guarded image with the nearest hash to each hash, if one is near enough.

    Args:
        shown: (n,) hashes.
        guarded: (m, h) hashes of the guarded images.
        distance: largest number of bits that may differ.

    Returns:
        (n,) rows of `guarded`, the first of equally near ones, -1 if none is near enough; and (n,)
        distances.
    """
    values, inverse = np.unique(shown, return_inverse=True)
    others, owner, _ = _with_owners(guarded)
    i, j, bits = near_pairs(values, others, distance)
    order = np.lexsort((owner[j], bits, i))
    found, best = np.unique(i[order], return_index=True)
    best_row = np.full(len(values), -1)
    best_bits = np.full(len(values), _HASH_BITS + 1)
    best_row[found] = owner[j][order][best]
    best_bits[found] = bits[order][best]
    return best_row[inverse], best_bits[inverse]


def _with_owners(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Rows, Rows]:
    """Return the different values of (n, h) hashes, the first row of each, and all as indices."""
    values, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return values, first // hashes.shape[1], inverse.reshape(-1)


def _integer_codes(values: Sequence[str] | NDArray[np.object_]) -> Rows:
    """Return a number for each distinct text."""
    return np.unique(np.asarray(values, str), return_inverse=True)[1].astype(np.int64)


def _connected_groups(count: int, first: Rows, second: Rows) -> Rows:
    """Return the (count,) connected component of each row, given linked pairs of rows."""
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
