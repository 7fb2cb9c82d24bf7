"""Which images get their predicted class as a silver label: the certain ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pseudolabel.filters.counts import (
    KEPT,
    POOL_REASONS,
    Filtering,
    Judged,
    Reasons,
    count_rows,
    thresholds_of,
)
from pseudolabel.formats import tables
from pseudolabel.formats.tables import Shard
from pseudolabel.params.filtering import Filter
from pseudolabel.quality import Trials, image_trials
from pseudolabel.records import (
    Annotations,
    Category,
    Dataset,
    Probabilities,
    category_ids_of,
    positions,
)
from pseudolabel.temperature import tempered_probabilities

REASONS = Reasons("labels", ("score",), ("unreadable", "no_label", *POOL_REASONS))


@dataclass(frozen=True)
class ImageRule:
    """Judges classes of images by their probability.

    Attributes:
        categories: the classes.
        section: the thresholds.
        round_number: the round that predicted.
        temperature: of the probabilities.
    """

    categories: tuple[Category, ...]
    section: Filter
    round_number: int
    temperature: float = 1.0
    reasons = REASONS

    def judge(self, shard: Shard, output: Path) -> Judged:
        """Return what becomes of a shard's labels; probabilities of those kept go to `output`."""
        found = tables.read_probabilities(shard.path)
        values = tempered_probabilities(found.values, self.temperature)
        at, scores = values.argmax(axis=1), values.max(axis=1)
        kept = scores >= thresholds_of(self.section.threshold, self.categories)[at]
        dropped_by = np.where(kept, KEPT, REASONS.labels.index("score"))
        labelled = positions(found.image_ids, shard.images.ids)
        image_reasons = np.full(len(shard.images), REASONS.images.index("unreadable"))
        image_reasons[labelled] = np.where(kept, KEPT, REASONS.images.index("no_label"))
        ids = category_ids_of(self.categories)
        silver = Annotations.of_classes(
            found.image_ids[kept],
            ids[at[kept]],
            np.full(int(kept.sum()), np.nan, np.float32),
            scores[kept],
            self.round_number,
        )
        soft = Probabilities(found.image_ids[kept], values[kept])
        tables.write_probabilities(output / tables.PROBABILITIES / shard.path.name, soft)
        left = np.zeros(len(shard.images), np.int64)
        left[labelled] = kept
        reliabilities = np.zeros(len(shard.images), np.float32)
        reliabilities[labelled] = scores
        counts = count_rows(REASONS, dropped_by, at, image_reasons, len(self.categories))
        return Judged(silver, left, image_reasons, reliabilities, counts)


def trials(
    shards: Sequence[Shard],
    truth: Dataset,
    _: Path,
    __: Filter,
) -> Trials:
    """Return the most probable class of every image against its true one."""
    parts = [tables.read_probabilities(shard.path) for shard in shards]
    ids = np.concatenate([part.image_ids for part in parts])
    values = np.concatenate([part.values for part in parts])
    return image_trials(Probabilities(ids, values), truth)


def agreement(now: Annotations, before: Annotations, *_: Path) -> tuple[int, int]:
    """Return how many images have the same label in two rounds, and how many have one in any."""
    ids, mine, theirs = np.intersect1d(now.image_ids, before.image_ids, return_indices=True)
    same = now.category_ids[mine] == before.category_ids[theirs]
    return int(same.sum()), len(now) + len(before) - len(ids)


IMAGES = Filtering(ImageRule, trials, agreement)
