"""Which predicted pixels become silver labels: confident ones, on images with enough of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.filters.counts import Counts, Judged, Reasons, thresholds_of
from pseudolabel.formats import tables
from pseudolabel.formats.label_maps import (
    UNLABELLED,
    map_path,
    read_map,
    rows_of_map,
    write_map,
)
from pseudolabel.formats.prediction_maps import confidence_path, label_path
from pseudolabel.params.semantic import SemanticFilter
from pseudolabel.records import Annotations, Category, category_ids_of

REASONS = Reasons(
    "pixels", ("score",), ("unreadable", "min_confident"), amounts=lambda rows: rows.areas
)

Map = NDArray[np.uint8]


@dataclass(frozen=True)
class PixelRule:
    """Judges label maps: pixels by their confidence, images by their share of confident pixels.

    Attributes:
        categories: the classes.
        section: the thresholds.
        round_number: the round that predicted.
    """

    categories: tuple[Category, ...]
    section: SemanticFilter
    round_number: int
    reasons = REASONS

    def judge(self, shard: tables.Shard, output: Path) -> Judged:
        """Return what becomes of a shard's maps; those kept go to `output`, 255 for doubt."""
        broken = set(tables.read_unreadable(shard.path))
        total = Counts.nothing(REASONS, len(self.categories))
        parts, left, reasons = [Annotations.empty()], [], []
        image_ids = shard.images.ids.tolist()
        ids = category_ids_of(self.categories)
        for image_id, name in zip(image_ids, shard.images.file_names, strict=True):
            if name in broken:
                left.append(0)
                reasons.append(REASONS.images.index("unreadable"))
                total += self.image_counts(reasons[-1])
                continue
            labels = read_map(label_path(shard.path.parent, image_id))
            confidences = read_map(confidence_path(shard.path.parent, image_id))
            certain = self.certain(labels, confidences)
            reason = self.judge_image(certain)
            left.append(int(certain.sum()))
            reasons.append(reason)
            total += self.count(labels, certain, reason)
            if reason < 0:
                silver = np.where(certain, labels, UNLABELLED).astype(np.uint8)
                write_map(map_path(output, image_id), silver)
                parts.append(rows_of_map(image_id, silver, confidences, ids, self.round_number))
        silver_rows = Annotations.concatenate(parts)
        return Judged(silver_rows, np.array(left, np.int64), np.array(reasons, np.int64), total)

    def certain(self, labels: Map, confidences: Map) -> NDArray[np.bool_]:
        """Return which pixels of (h, w) maps reach their class's threshold."""
        least = np.zeros(256, np.float32)
        least[: len(self.categories)] = thresholds_of(self.section.threshold, self.categories)
        # Confidences are written in 255ths: a threshold between two of them asks for the upper one.
        return confidences >= np.round(least * 255, 3)[labels]

    def judge_image(self, certain: NDArray[np.bool_]) -> int:
        """Return the reason to drop an image as an index, -1 for none."""
        enough = certain.any() and certain.mean() >= self.section.min_confident
        return -1 if enough else REASONS.images.index("min_confident")

    def count(self, labels: Map, certain: NDArray[np.bool_], reason: int) -> Counts:
        """Return the counts of one image's pixels."""
        classes = len(self.categories)
        doubted = np.bincount(labels[~certain], minlength=classes)
        sure = np.bincount(labels[certain], minlength=classes)
        counts = self.image_counts(reason)
        counts.dropped[0] += doubted
        if reason < 0:
            return Counts(REASONS, counts.dropped, sure, counts.images_dropped, 1)
        counts.dropped[len(REASONS.labels) + reason] += sure
        return counts

    def image_counts(self, reason: int) -> Counts:
        """Return the counts of one image without its pixels."""
        counts = Counts.nothing(REASONS, len(self.categories))
        if reason >= 0:
            counts.images_dropped[reason] += 1
        return counts
