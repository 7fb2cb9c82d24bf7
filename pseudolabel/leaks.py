"""The leak guard: whatever is measured on has no twin among what is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pseudolabel.errors import DataError, Fault
from pseudolabel.pairs import Rows, pairs_within
from pseudolabel.records import Images

HASH_BITS = 64


@dataclass(frozen=True)
class Twin:
    """An image and the one that it must not be apart from.

    Attributes:
        file: the image's name.
        split: where it was found.
        twin: the other one's name.
        twin_split: where that one is.
        kind: `copy` (equal content), `near-duplicate` or `group`.
        distance: bits in which the perceptual hashes differ; None unless near-duplicates.
    """

    file: str
    split: str
    twin: str
    twin_split: str
    kind: str
    distance: int | None = None

    def row(self) -> dict[str, str | int | None]:
        """Return the pair as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Likeness:
    """What tells that two images belong together, by file name.

    Attributes:
        looks: perceptual hash of each image; empty where they are not to be compared.
        groups: group of each image that has one, as a patient or a video.
        distance: bits by which the perceptual hashes of near-duplicates may differ.
    """

    looks: Mapping[str, int]
    groups: Mapping[str, str]
    distance: int

    def looks_of(self, images: Images) -> NDArray[np.uint64]:
        """Return the (n,) perceptual hashes of images."""
        return np.array([self.looks[name] for name in images.file_names], np.uint64)

    def twins(self, images: Images, split: str, guarded: Images, guard: str) -> list[Twin]:
        """Return a pair for each image of a split that has a twin in a guarded one, by name."""
        found: dict[str, Twin] = {}
        groups = {
            self.groups[name]: name for name in guarded.file_names[::-1] if name in self.groups
        }
        for name in images.file_names:
            if self.groups.get(name) in groups:
                found[name] = Twin(name, split, groups[self.groups[name]], guard, "group")
        if self.looks:
            row, distance = nearest(self.looks_of(images), self.looks_of(guarded), self.distance)
            for at in np.flatnonzero(row >= 0):
                name, twin = images.file_names[at], guarded.file_names[row[at]]
                found[name] = Twin(name, split, twin, guard, "near-duplicate", int(distance[at]))
        found |= {twin.file: twin for twin in copies(images, split, guarded, guard)}
        return [found[name] for name in sorted(found)]

    def families(self, images: Images) -> Rows:
        """Return the (n,) family of each image: twins are of one family."""
        keys: list[Rows] = [codes(images.hashes)]
        grouped = [self.groups.get(name, f"\0{row}") for row, name in enumerate(images.file_names)]
        keys.append(codes(grouped))
        first, second = [], []
        for key in keys:
            order = np.argsort(key, kind="stable")
            same = key[order[1:]] == key[order[:-1]]
            first.append(order[:-1][same])
            second.append(order[1:][same])
        if self.looks:
            values, row, inverse = np.unique(
                self.looks_of(images), return_index=True, return_inverse=True
            )
            i, j, _ = near_pairs(values, self.distance)
            first += [row[i], row[inverse]]
            second += [row[j], np.arange(len(images))]
        return linked(len(images), np.concatenate(first), np.concatenate(second))


def codes(values: Sequence[str] | NDArray[np.object_]) -> Rows:
    """Return a number for each distinct text."""
    return np.unique(np.asarray(values, str), return_inverse=True)[1].astype(np.int64)


def linked(count: int, first: Rows, second: Rows) -> Rows:
    """Return the (count,) connected component of each row, given the pairs that are linked."""
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def copies(images: Images, split: str, guarded: Images, guard: str) -> list[Twin]:
    """Return a pair for each image whose name or content a guarded split has."""
    names = set(guarded.file_names.tolist())
    hashes = dict(zip(guarded.hashes[::-1], guarded.file_names[::-1], strict=True))
    found = []
    for name, digest in zip(images.file_names, images.hashes, strict=True):
        twin = name if name in names else hashes.get(digest) if digest else None
        if twin is not None:
            found.append(Twin(name, split, twin, guard, "copy"))
    return found


def near_pairs(values: NDArray[np.uint64], distance: int) -> tuple[Rows, Rows, Rows]:
    """Return the pairs of different hashes that differ in so many bits at most.

    The bits are cut into distance + 1 parts: two hashes that differ in no more bits than `distance`
    are equal in one part at least, so that only those equal in a part are compared.

    Args:
        values: (n,) hashes, all different.
        distance: the most bits that may differ, below 64.

    Returns:
        (p,) rows i, (p,) rows j and (p,) distances.
    """
    bounds = np.linspace(0, HASH_BITS, distance + 2).astype(np.uint64)
    found = [np.empty((3, 0), np.int64)]
    seen: list[np.uint64] = []
    for low, high in pairwise(bounds):
        mask = np.uint64((1 << int(high)) - (1 << int(low)))
        part = values & mask
        order = np.argsort(part, kind="stable")
        for first, second in pairs_within(part[order]):
            i, j = order[first], order[second]
            different = values[i] ^ values[j]
            bits = np.bitwise_count(different)
            close = bits <= distance
            # A pair that is equal in an earlier part, too, was found there.
            for earlier in seen:
                close &= (different & earlier) != 0
            found.append(np.stack([i[close], j[close], bits[close].astype(np.int64)]))
        seen.append(mask)
    i, j, bits = np.concatenate(found, axis=1)
    return np.minimum(i, j), np.maximum(i, j), bits


def nearest(
    looks: NDArray[np.uint64], guarded: NDArray[np.uint64], distance: int
) -> tuple[Rows, Rows]:
    """Return for each hash the row of the nearest guarded one, -1 where none is near enough.

    Args:
        looks: (n,) hashes.
        guarded: (m,) hashes.
        distance: the most bits that may differ.

    Returns:
        (n,) rows of `guarded`, and (n,) distances.
    """
    values, inverse = np.unique(np.concatenate([guarded, looks]), return_inverse=True)
    none = len(guarded)
    owner = np.full(len(values), none, np.int64)
    np.minimum.at(owner, inverse[:none], np.arange(none))
    best_row, best_bits = owner.copy(), np.where(owner < none, 0, HASH_BITS + 1)
    i, j, bits = near_pairs(values, distance)
    one, other = np.concatenate([i, j]), np.concatenate([j, i])
    bits = np.concatenate([bits, bits])
    reachable = owner[other] < none
    one, other, bits = one[reachable], other[reachable], bits[reachable]
    # The nearest last, so that it is the one that stays; of equal ones, the first of the split.
    order = np.lexsort((-owner[other], -bits))
    one, other, bits = one[order], other[order], bits[order]
    nearer = bits < best_bits[one]
    best_row[one[nearer]], best_bits[one[nearer]] = owner[other[nearer]], bits[nearer]
    best_row[best_row == none] = -1
    mine = inverse[none:]
    return best_row[mine], best_bits[mine]


def refuse_seen(seen: set[str], measured_on: Mapping[str, Images], model: str) -> None:
    """Raise where a model was trained on an image that it is to be measured on.

    Args:
        seen: content hashes of the images that it was trained on.
        measured_on: the splits to measure on, by name.
        model: what to call it.

    Raises:
        DataError: with a fault for each such image.
    """
    faults = [
        Fault(model, "", f"a model that has not seen {split}", f"one trained on its {name!r}")
        for split, images in measured_on.items()
        for name, digest in zip(images.file_names, images.hashes, strict=True)
        if digest in seen
    ]
    if faults:
        raise DataError(faults)


def refuse_leaks(trained_on: Mapping[str, Images], measured_on: Mapping[str, Images]) -> None:
    """Raise where an image is both trained and measured on, by its name or its content.

    Raises:
        DataError: with a fault for each such image.
    """
    faults = [
        Fault(
            f"{twin.split} (to be trained on)",
            f"image {twin.file!r}",
            f"an image that {guard} has not",
            "itself" if twin.twin == twin.file else f"a copy of its {twin.twin!r}",
        )
        for guard, guarded in measured_on.items()
        for split, images in trained_on.items()
        for twin in copies(images, split, guarded, guard)
    ]
    if faults:
        raise DataError(faults)
