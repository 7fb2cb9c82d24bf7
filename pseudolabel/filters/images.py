"""Which images get their predicted class as a silver label: the certain ones, so many a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.filters.counts import Judged, Reasons, count_rows, rows_of, thresholds_of
from pseudolabel.formats import tables
from pseudolabel.formats.tables import Shard
from pseudolabel.params.classification import ClassificationFilter
from pseudolabel.records import Annotations, Category, Probabilities, category_ids_of

REASONS = Reasons("labels", ("score", "max_per_class"), ("unreadable", "no_label"))


@dataclass(frozen=True)
class Guesses:
    """The most probable class of each image.

    Attributes:
        image_ids: (n,) ids.
        classes: (n,) position of the class.
        scores: (n,) its probability.
    """

    image_ids: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, found: Probabilities) -> Guesses:
        """Return the guesses in a classifier's probabilities."""
        classes = found.values.argmax(axis=1)
        return cls(found.image_ids, classes, found.values.max(axis=1))


@dataclass(frozen=True)
class ImageRule:
    """Judges classes of images by their probability; a class keeps only so many, the surest.

    Attributes:
        categories: the classes.
        thresholds: (c,) lowest probability of each class.
        last_scores: (c,) probability of the last image that each class keeps.
        last_ids: (c,) id of that image: of equally sure ones, those up to this id are kept.
        round_number: the round that predicted.
    """

    categories: tuple[Category, ...]
    thresholds: NDArray[np.float32]
    last_scores: NDArray[np.float32]
    last_ids: NDArray[np.int64]
    round_number: int
    reasons = REASONS

    @classmethod
    def over(
        cls,
        shards: Sequence[Shard],
        categories: tuple[Category, ...],
        section: ClassificationFilter,
        round_number: int,
    ) -> ImageRule:
        """Return the rule for some shards; a cap is found by a look at all of them first."""
        thresholds = thresholds_of(section.threshold, categories)
        last_scores = np.zeros(len(categories), np.float32)
        last_ids = np.full(len(categories), np.iinfo(np.int64).max)
        if section.max_per_class is not None:
            sure = sure_guesses(shards, thresholds)
            for index in range(len(categories)):
                own = np.flatnonzero(sure.classes == index)
                if len(own) > section.max_per_class:
                    ranked = own[np.lexsort((sure.image_ids[own], -sure.scores[own]))]
                    last = ranked[section.max_per_class - 1]
                    last_scores[index], last_ids[index] = sure.scores[last], sure.image_ids[last]
        return cls(categories, thresholds, last_scores, last_ids, round_number)

    def judge(self, shard: Shard, output: Path) -> Judged:  # noqa: ARG002 - files are of maps
        """Return what becomes of a shard's labels."""
        found = Guesses.of(tables.read_probabilities(shard.path))
        at = found.classes
        dropped_by = np.full(len(at), -1, np.int64)
        last = self.last_scores[at]
        beyond = (found.scores == last) & (found.image_ids > self.last_ids[at])
        dropped_by[(found.scores < last) | beyond] = REASONS.labels.index("max_per_class")
        dropped_by[found.scores < self.thresholds[at]] = REASONS.labels.index("score")
        kept = dropped_by < 0
        labelled = rows_of(found.image_ids, shard.images.ids)
        image_reasons = np.full(len(shard.images), REASONS.images.index("unreadable"))
        image_reasons[labelled] = np.where(kept, -1, REASONS.images.index("no_label"))
        ids = category_ids_of(self.categories)
        silver = Annotations.of_classes(
            found.image_ids[kept],
            ids[at[kept]],
            np.full(int(kept.sum()), np.nan, np.float32),
            found.scores[kept],
            self.round_number,
        )
        left = np.zeros(len(shard.images), np.int64)
        left[labelled] = kept
        counts = count_rows(REASONS, dropped_by, at, image_reasons, len(self.categories))
        return Judged(silver, left, image_reasons, counts)


def sure_guesses(shards: Sequence[Shard], thresholds: NDArray[np.float32]) -> Guesses:
    """Return the guesses of all shards that reach their class's threshold, 20 bytes each."""
    parts = []
    for shard in shards:
        found = Guesses.of(tables.read_probabilities(shard.path))
        sure = found.scores >= thresholds[found.classes]
        parts.append((found.image_ids[sure], found.classes[sure], found.scores[sure]))
    return Guesses(*(np.concatenate(column) for column in zip(*parts, strict=True)))
