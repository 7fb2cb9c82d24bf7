"""The filter of semantic segmentation: pixels by their confidence, then whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.prediction_records import LabelMaps
from pseudolabel.core.records import Annotations, Dataset, category_ids_of
from pseudolabel.formats.label_maps import (
    UNLABELLED,
    LabelMap,
    encode_map,
    label_map_rows,
)
from pseudolabel.formats.map_shards import MapShards, MapShardWriter, silver_maps_path
from pseudolabel.formats.prediction_store import read_predictions
from pseudolabel.formats.shards import Shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import SemanticFilter
from pseudolabel.silver.calibration import scale_scores
from pseudolabel.silver.filter_counts import POOL_REASONS, Counts, Reasons
from pseudolabel.silver.matching import ScoredLabels, match_pixels
from pseudolabel.silver.task_filter import FilterResult, TaskFilter
from pseudolabel.silver.thresholds import class_thresholds


@dataclass(frozen=True)
class PixelFilter(TaskFilter):
    """Filters label maps: pixels by their confidence, images by their share of confident pixels."""

    section: SemanticFilter
    reasons: ClassVar[Reasons] = Reasons(
        "pixels",
        ("score",),
        ("unreadable", "min_confident", *POOL_REASONS),
        amounts=lambda rows: rows.areas,
    )

    def filter_shard(self, shard: Shard, output: Path) -> FilterResult:
        """Filter a shard's maps, and write kept maps into `output`; uncertain pixels are 255."""
        maps_path = silver_maps_path(output / shard.path.name)
        writer = MapShardWriter(maps_path.with_suffix(".unfinished"))
        total = Counts.zero(self.reasons, len(self.categories))
        count = len(shard.images)
        parts, labels_left = [Annotations.empty()], np.zeros(count, np.int64)
        image_reasons = np.full(count, self.reasons.images.index("unreadable"))
        reliabilities = np.zeros(count, np.float32)
        scaled = scale_scores(np.arange(256) / 255, self.temperature)
        steps = (scaled * 255).round().astype(np.uint8)
        rows = {image_id: row for row, image_id in enumerate(shard.images.ids.tolist())}
        category_ids = category_ids_of(self.categories)
        for maps in read_predictions("pixels", shard):
            ((image_id, labels, raw),) = _maps_of(maps)
            row, confidences = rows[image_id], steps[raw]
            reliabilities[row] = confidences.mean() / 255
            confident = self.confident_pixels(labels, confidences)
            image_reasons[row] = self._image_reason(confident)
            labels_left[row] = int(confident.sum())
            total += self._count(labels, confident, int(image_reasons[row]))
            if image_reasons[row] < 0:
                silver = np.where(confident, labels, UNLABELLED).astype(np.uint8)
                writer.add(image_id, encode_map(silver))
                parts.append(
                    label_map_rows(image_id, silver, confidences, category_ids, self.round_number)
                )
        writer.close(maps_path)
        unreadable = self.reasons.images.index("unreadable")
        for _ in range(int((image_reasons == unreadable).sum())):
            total += self._image_count(unreadable)
        silver_rows = Annotations.concatenate(parts)
        return FilterResult(silver_rows, labels_left, image_reasons, reliabilities, total)

    def confident_pixels(self, labels: LabelMap, confidences: LabelMap) -> NDArray[np.bool_]:
        """Return which pixels of (h, w) maps reach the threshold of their class."""
        lowest = np.zeros(256, np.float32)
        lowest[: len(self.categories)] = class_thresholds(self.section.threshold, self.categories)
        # Confidences are steps of 1/255. A threshold between two steps means the upper one.
        return confidences >= np.round(lowest * 255, 3)[labels]

    def _image_reason(self, confident: NDArray[np.bool_]) -> int:
        """Return the reason to drop an image as an index, -1 for none."""
        enough = confident.any() and confident.mean() >= self.section.min_confident
        return -1 if enough else self.reasons.images.index("min_confident")

    def _count(self, labels: LabelMap, confident: NDArray[np.bool_], reason: int) -> Counts:
        """Return the counts of one image's pixels."""
        classes = len(self.categories)
        below = np.bincount(labels[~confident], minlength=classes)
        above = np.bincount(labels[confident], minlength=classes)
        counts = self._image_count(reason)
        counts.dropped[0] += below
        if reason < 0:
            return replace(counts, kept=above, images_kept=1)
        counts.dropped[len(self.reasons.labels) + reason] += above
        return counts

    def _image_count(self, reason: int) -> Counts:
        """Return the counts of one image without its pixels."""
        counts = Counts.zero(self.reasons, len(self.categories))
        if reason >= 0:
            counts.images_dropped[reason] += 1
        return counts

    @classmethod
    def match(
        cls,
        shards: Sequence[Shard],
        truth: Dataset,
        folder: Path,
        section: SemanticFilter,  # noqa: ARG003 - no other filter drops single pixels
    ) -> ScoredLabels:
        """Return all predicted pixels, compared with gold."""
        gold = SplitFolder(folder)
        maps = (
            (labels, confidences, gold.label_map(image_id))
            for shard in shards
            for batch in read_predictions("pixels", shard)
            for image_id, labels, confidences in _maps_of(batch)
        )
        return match_pixels(maps, len(truth.categories))

    @staticmethod
    def agreement(
        now: Annotations, before: Annotations, shard: Path, shard_before: Path
    ) -> tuple[int, int]:
        """Return how many pixels have the same label in two rounds, and how many have a label.

        Images that one of the rounds dropped are left out.
        """
        same = either = 0
        maps, maps_before = (MapShards([silver_maps_path(path)]) for path in (shard, shard_before))
        for image_id in np.intersect1d(now.image_ids, before.image_ids).tolist():
            labels, labels_before = maps.labels(image_id), maps_before.labels(image_id)
            labelled = labels != UNLABELLED
            either += int((labelled | (labels_before != UNLABELLED)).sum())
            same += int(((labels == labels_before) & labelled).sum())
        return same, either


def _maps_of(batch: object) -> list[tuple[int, LabelMap, LabelMap]]:
    """Return the id, the labels and the confidences of each image of a batch."""
    maps = cast(LabelMaps, batch)
    return list(zip(maps.image_ids.tolist(), maps.labels, maps.confidences, strict=True))
