"""What filtering did: counted by reason and class, so that everything that went in is told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pseudolabel.errors import ParamsError
from pseudolabel.formats.tables import Shard
from pseudolabel.quality import Trials
from pseudolabel.records import Annotations, Category, Dataset

KEPT, HIDDEN = -1, -2
"""What becomes of a row that no reason drops."""
POOL_REASONS = ("top_share", "max_per_class")
"""Why an image goes that its own predictions would let stay: others are more reliable."""


def one_each(rows: Annotations) -> NDArray[np.float32]:
    """Return how much each row counts where labels are counted one by one."""
    return np.ones(len(rows), np.float32)


@dataclass(frozen=True)
class Reasons:
    """Why something is dropped.

    Attributes:
        unit: what is counted: annotations, pixels or labels.
        labels: reasons that drop one of them by itself.
        images: reasons that drop an image with all it has.
        amounts: how many units each row of labels is.
    """

    unit: str
    labels: tuple[str, ...]
    images: tuple[str, ...]
    amounts: Callable[[Annotations], NDArray[np.float32]] = one_each


@dataclass(frozen=True)
class Counts:
    """How much went in, and what became of it.

    Attributes:
        reasons: names of the rows of `dropped` and of `images_dropped`.
        dropped: (r, c) dropped, by reason (labels', then images') and class.
        hidden: (c,) neither kept nor background: hidden from training, by class.
        kept: (c,) kept, by class.
        images_dropped: (s,) images dropped, by reason.
        images_kept: images kept.
    """

    reasons: Reasons
    dropped: NDArray[np.int64]
    hidden: NDArray[np.int64]
    kept: NDArray[np.int64]
    images_dropped: NDArray[np.int64]
    images_kept: int

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two shards together."""
        return Counts(
            self.reasons,
            self.dropped + other.dropped,
            self.hidden + other.hidden,
            self.kept + other.kept,
            self.images_dropped + other.images_dropped,
            self.images_kept + other.images_kept,
        )

    @classmethod
    def nothing(cls, reasons: Reasons, classes: int) -> Counts:
        """Return the counts of no shard at all."""
        dropped = np.zeros((len(reasons.labels) + len(reasons.images), classes), np.int64)
        images = np.zeros(len(reasons.images), np.int64)
        hidden, kept = np.zeros((2, classes), np.int64)
        return cls(reasons, dropped, hidden, kept, images, 0)

    def without_images(
        self, rows: Annotations, classes: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> Counts:
        """Return the counts after images that were kept are dropped, too.

        Args:
            rows: what was kept or hidden on these images.
            classes: (m,) position of each row's class.
            counts: (s,) images that go, by image reason; rows go under the only one that has any.
        """
        amounts = self.reasons.amounts(rows)
        hidden, kept = (
            np.bincount(classes[part], amounts[part], len(self.kept)).astype(np.int64)
            for part in (rows.crowds, ~rows.crowds)
        )
        dropped = self.dropped.copy()
        dropped[len(self.reasons.labels) + int(counts.argmax())] += hidden + kept
        return Counts(
            self.reasons,
            dropped,
            self.hidden - hidden,
            self.kept - kept,
            self.images_dropped + counts,
            self.images_kept - int(counts.sum()),
        )

    def report(self, categories: Sequence[Category]) -> dict[str, Any]:
        """Return the counts as JSON values, by reason and by class name."""
        names = [category.name for category in categories]
        went_in = self.dropped.sum(axis=0) + self.hidden + self.kept
        shares = (self.kept / max(1, int(self.kept.sum()))).round(6)
        reasons = self.reasons.labels + self.reasons.images
        return {
            self.reasons.unit: {
                "in": int(went_in.sum()),
                "in_by_class": dict(zip(names, went_in.tolist(), strict=True)),
                "out": int(self.kept.sum()),
                "out_by_class": dict(zip(names, self.kept.tolist(), strict=True)),
                "out_shares": dict(zip(names, shares.tolist(), strict=True)),
                "hidden_by_class": dict(zip(names, self.hidden.tolist(), strict=True)),
                "dropped": {
                    reason: dict(zip(names, row.tolist(), strict=True))
                    for reason, row in zip(reasons, self.dropped, strict=True)
                    if reason != "unreadable"
                },
            },
            "images": {
                "in": int(self.images_dropped.sum()) + self.images_kept,
                "out": self.images_kept,
                "dropped": dict(
                    zip(self.reasons.images, self.images_dropped.tolist(), strict=True)
                ),
            },
        }


@dataclass(frozen=True)
class Judged:
    """What filtering made of some images.

    Attributes:
        silver: the annotations kept, and as crowds those to be hidden.
        left: (n,) boxes, pixels or labels that each image had when it was judged.
        image_reasons: (n,) index into the image reasons, -1 for an image that is kept.
        reliabilities: (n,) 0 to 1, how sure the teacher is of each image, whatever the thresholds;
            0 where it said nothing.
        counts: what went in and what became of it.
    """

    silver: Annotations
    left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    reliabilities: NDArray[np.float32]
    counts: Counts


class Rule(Protocol):
    """What is judged by: a task's filters with their thresholds."""

    @property
    def reasons(self) -> Reasons:
        """Why this rule drops anything."""

    def judge(self, shard: Shard, output: Path) -> Judged:
        """Return what becomes of a shard; what labels have beside their rows goes to `output`."""


@dataclass(frozen=True)
class Filtering:
    """A task's way of filtering.

    Attributes:
        make_rule: the rule, from the classes, the filter's parameters, the round and the
            temperature of scores.
        trials: the labels that a rule could keep of some shards against their truth, whatever its
            thresholds (shards, truth, folder of the truth, parameters).
        agreement: how much of one shard's silver is that of the round before, and of how much
            (silver, the silver before on the same images, their folders).
    """

    make_rule: Callable[[tuple[Category, ...], Any, int, float], Rule]
    trials: Callable[[Sequence[Shard], Dataset, Path, Any], Trials]
    agreement: Callable[[Annotations, Annotations, Path, Path], tuple[int, int]]


def count_rows(
    reasons: Reasons,
    dropped_by: NDArray[np.int64],
    classes: NDArray[np.int64],
    image_reasons: NDArray[np.int64],
    class_count: int,
) -> Counts:
    """Return the counts of what became of rows and images.

    Args:
        reasons: the rule's reasons.
        dropped_by: (m,) index into the reasons, labels' first, then images'; KEPT or HIDDEN.
        classes: (m,) position of each row's class.
        image_reasons: (n,) index into the image reasons, -1 for an image kept.
        class_count: number of classes.
    """
    kinds = len(reasons.labels) + len(reasons.images) + 2
    table = np.bincount((dropped_by + 2) * class_count + classes, minlength=kinds * class_count)
    hidden, kept, *dropped = table.reshape(kinds, class_count)
    images = np.bincount(image_reasons + 1, minlength=len(reasons.images) + 1)
    return Counts(reasons, np.array(dropped), hidden, kept, images[1:], int(images[0]))


def thresholds_of(
    score: float | dict[str, float], categories: Sequence[Category], name: str = "score"
) -> NDArray[np.float32]:
    """Return the (c,) score threshold of each class, of the parameter of that name.

    Raises:
        ParamsError: thresholds are given by class, and not for every class or for unknown ones.
    """
    names = [category.name for category in categories]
    if not isinstance(score, dict):
        return np.full(len(names), score, np.float32)
    if set(score) != set(names):
        expected, found = ", ".join(names), ", ".join(score)
        raise ParamsError(
            f"filter.{name}: expected a threshold for each of {expected}; found {found}"
        )
    return np.array([score[name] for name in names], np.float32)
