"""The filter of classification: images whose class has a high probability become silver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pseudolabel.core.columns import positions
from pseudolabel.core.prediction_records import Probabilities
from pseudolabel.core.records import Annotations, Dataset, category_ids_of
from pseudolabel.formats.shards import Shard, read_probabilities, write_probabilities
from pseudolabel.formats.silver_folder import PROBABILITIES
from pseudolabel.params.filter import Filter
from pseudolabel.silver.calibration import scale_probabilities
from pseudolabel.silver.filter_counts import POOL_REASONS, Counts, Reasons
from pseudolabel.silver.matching import ScoredLabels, match_classes
from pseudolabel.silver.task_filter import FilterResult, TaskFilter
from pseudolabel.silver.thresholds import class_thresholds


@dataclass(frozen=True)
class ClassFilter(TaskFilter):
    """Filters classes of images by their probability."""

    section: Filter
    reasons: ClassVar[Reasons] = Reasons(
        "labels", ("score",), ("unreadable", "no_label", *POOL_REASONS)
    )

    def filter_shard(self, shard: Shard, output: Path) -> FilterResult:
        """Filter a shard's labels, and write the probabilities of kept labels into `output`."""
        predictions = read_probabilities(shard.path)
        values = scale_probabilities(predictions.values, self.temperature)
        classes, scores = values.argmax(axis=1), values.max(axis=1)
        kept = scores >= class_thresholds(self.section.threshold, self.categories)[classes]
        rows = positions(predictions.image_ids, shard.images.ids)
        image_reasons = np.full(len(shard.images), self.reasons.images.index("unreadable"))
        image_reasons[rows] = np.where(kept, -1, self.reasons.images.index("no_label"))
        silver = Annotations.of_classes(
            predictions.image_ids[kept],
            category_ids_of(self.categories)[classes[kept]],
            np.full(int(kept.sum()), np.nan, np.float32),
            scores[kept],
            self.round_number,
        )
        soft_labels = Probabilities(predictions.image_ids[kept], values[kept])
        write_probabilities(output / PROBABILITIES / shard.path.name, soft_labels)
        labels_left = np.zeros(len(shard.images), np.int64)
        labels_left[rows] = kept
        reliabilities = np.zeros(len(shard.images), np.float32)
        reliabilities[rows] = scores
        counts = Counts.from_rows(
            self.reasons,
            np.where(kept, -1, self.reasons.labels.index("score")),
            image_reasons,
            rows,
            np.zeros(len(rows), bool),
            classes,
            len(self.categories),
        )
        return FilterResult(silver, labels_left, image_reasons, reliabilities, counts)

    @classmethod
    def match(
        cls,
        shards: Sequence[Shard],
        truth: Dataset,
        folder: Path,  # noqa: ARG003 - all labels are in the COCO file
        section: Filter,  # noqa: ARG003 - no other filter drops labels
    ) -> ScoredLabels:
        """Return the most probable class of every image, compared with gold."""
        parts = [read_probabilities(shard.path) for shard in shards]
        return match_classes(Probabilities.concatenate(parts), truth)

    @staticmethod
    def agreement(
        now: Annotations,
        before: Annotations,
        shard: Path,  # noqa: ARG004 - the rows have all labels
        shard_before: Path,  # noqa: ARG004 - the same
    ) -> tuple[int, int]:
        """Return how many images have the same label in two rounds, and how many have a label."""
        both, rows_now, rows_before = np.intersect1d(
            now.image_ids, before.image_ids, return_indices=True
        )
        same = now.category_ids[rows_now] == before.category_ids[rows_before]
        return int(same.sum()), len(now) + len(before) - len(both)
