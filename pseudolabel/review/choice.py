"""Choose the images of the pool that a person should look at."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

By = Literal["doubt", "diversity", "both", "random"]
"""How images are chosen."""
_DOUBTFUL = 4
"""With `both`, this many times the wanted images are candidates: those in most doubt."""
_SHARE = 0.5
"""With `both`, candidates are at most this share of the images: else doubt would not count."""

Rows = NDArray[np.int64]
Features = NDArray[np.float32]


def most_doubtful(doubts: NDArray[np.float32], count: int) -> Rows:
    """Return the rows of the images in most doubt, the most doubtful first.

    Args:
        doubts: (n,) doubt about the labels of each image.
        count: how many images to choose.
    """
    return np.argsort(-doubts, kind="stable")[:count]


def most_diverse(features: Features, known: Features, count: int) -> Rows:
    """Return the rows of images that are far from each other and from known images.

    The image whose nearest chosen or known image is farthest comes next: the greedy solution of the
    k-centre problem (Gonzalez 1985; for active learning: Sener and Savarese 2018).

    Args:
        features: (n, d) features of the images.
        known: (m, d) features of images that have labels already; m may be 0.
        count: how many images to choose.
    """
    distances = np.full(len(features), np.inf)
    for row in known:
        distances = np.minimum(distances, _squared_distances(features, row))
    chosen: list[int] = []
    for _ in range(min(count, len(features))):
        row = int(distances.argmax())
        chosen.append(row)
        distances = np.minimum(distances, _squared_distances(features, features[row]))
        distances[chosen] = -1
    return np.array(chosen, np.int64)


def doubtful_and_diverse(
    doubts: NDArray[np.float32], features: Features, known: Features, count: int
) -> Rows:
    """Return the rows of images that are far from each other, among those in most doubt."""
    at_most = max(count, int(_SHARE * len(doubts)))
    candidates = most_doubtful(doubts, min(_DOUBTFUL * count, at_most))
    return candidates[most_diverse(features[candidates], known, count)]


def at_random(total: int, count: int, seed: int) -> Rows:
    """Return some of `total` rows, drawn by a seed."""
    return np.random.default_rng(seed).permutation(total)[:count]


def _squared_distances(features: Features, row: Features) -> NDArray[np.float64]:
    """Return the (n,) squared distances of (n, d) features to one of (d,)."""
    difference = features.astype(np.float64) - row
    distances: NDArray[np.float64] = (difference**2).sum(axis=1)
    return distances
