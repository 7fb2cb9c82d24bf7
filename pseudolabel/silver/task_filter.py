"""The interface of the filters: each task has one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.records import Annotations, Category, Dataset
from pseudolabel.formats.shards import Shard
from pseudolabel.formats.silver_folder import HIDDEN, KEPT
from pseudolabel.silver.filter_counts import Counts, Reasons
from pseudolabel.silver.matching import ScoredLabels

OUTCOME_NAMES = (KEPT, HIDDEN)
"""The outcomes of a prediction that no filter of labels drops."""


@dataclass(frozen=True)
class FilterResult:
    """The outcome of a filter for the predictions for n images.

    Attributes:
        silver: the labels kept and, as crowds, the objects hidden from training.
        labels_left: (n,) boxes, pixels or labels of each image that passed the label filters.
        image_reasons: (n,) index into the image reasons; -1 for an image that is kept.
        reliabilities: (n,) 0 to 1, how certain the teacher is about each image; independent of the
            thresholds, 0 without predictions.
        counts: numbers of labels and images kept, hidden and dropped.
        outcomes: (m,) what became of each of m predicted objects, an index into `OUTCOME_NAMES`
            followed by the label reasons; the reason of an image is not among them. None if the
            predictions are not objects.
    """

    silver: Annotations
    labels_left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    reliabilities: NDArray[np.float32]
    counts: Counts
    outcomes: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class TaskFilter(ABC):
    """Decides which predictions of a task become silver labels.

    Attributes:
        categories: the classes.
        section: the section `filter` of one round.
        round_number: the round that predicted.
        temperature: of the scores; 1 leaves them unchanged.
        reasons: the reasons to drop labels and images.
    """

    categories: tuple[Category, ...]
    section: Any
    round_number: int
    temperature: float = 1.0
    reasons: ClassVar[Reasons]

    @abstractmethod
    def filter_shard(self, shard: Shard, output: Path) -> FilterResult:
        """Filter a shard's predictions.

        Args:
            shard: the predictions and their images.
            output: the silver folder, to write label maps or probabilities to.
        """

    @classmethod
    @abstractmethod
    def match(
        cls, shards: Sequence[Shard], truth: Dataset, folder: Path, section: Any
    ) -> ScoredLabels:
        """Return the labels that the filter keeps without score thresholds, compared with gold.

        Args:
            shards: the predictions for the images of tuning.
            truth: the gold of tuning.
            folder: the folder of tuning.
            section: the section `filter`.
        """

    @staticmethod
    @abstractmethod
    def agreement(
        now: Annotations, before: Annotations, shard: Path, shard_before: Path
    ) -> tuple[int, int]:
        """Return how many labels of two rounds are the same, and how many were compared.

        Args:
            now: silver on some images.
            before: the silver of the round before on the same images.
            shard: the shard of silver.
            shard_before: the shard of the round before.
        """
