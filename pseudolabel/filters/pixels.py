"""Which predicted pixels become silver labels: confident ones, on images with enough of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.filters.counts import (
    POOL_REASONS,
    Counts,
    Filtering,
    Judged,
    Reasons,
    thresholds_of,
)
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
from pseudolabel.quality import Trials, pixel_trials
from pseudolabel.records import Annotations, Category, Dataset, category_ids_of
from pseudolabel.temperature import tempered

REASONS = Reasons(
    "pixels",
    ("score",),
    ("unreadable", "min_confident", *POOL_REASONS),
    amounts=lambda rows: rows.areas,
)

Map = NDArray[np.uint8]


@dataclass(frozen=True)
class PixelRule:
    """Judges label maps: pixels by their confidence, images by their share of confident pixels.

    Attributes:
        categories: the classes.
        section: the thresholds.
        round_number: the round that predicted.
        temperature: of the confidences.
    """

    categories: tuple[Category, ...]
    section: SemanticFilter
    round_number: int
    temperature: float = 1.0
    reasons = REASONS

    def judge(self, shard: tables.Shard, output: Path) -> Judged:
        """Return what becomes of a shard's maps; those kept go to `output`, 255 for doubt."""
        broken = set(tables.read_unreadable(shard.path))
        total = Counts.nothing(REASONS, len(self.categories))
        parts, left, reasons = [Annotations.empty()], [], []
        reliabilities = np.zeros(len(shard.images), np.float32)
        scaled = (tempered(np.arange(256) / 255, self.temperature) * 255).round().astype(np.uint8)
        image_ids = shard.images.ids.tolist()
        ids = category_ids_of(self.categories)
        for row, (image_id, name) in enumerate(
            zip(image_ids, shard.images.file_names, strict=True)
        ):
            if name in broken:
                left.append(0)
                reasons.append(REASONS.images.index("unreadable"))
                total += self.image_counts(reasons[-1])
                continue
            labels = read_map(label_path(shard.path.parent, image_id))
            confidences = scaled[read_map(confidence_path(shard.path.parent, image_id))]
            reliabilities[row] = confidences.mean() / 255
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
        return Judged(
            silver_rows,
            np.array(left, np.int64),
            np.array(reasons, np.int64),
            reliabilities,
            total,
        )

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
            return replace(counts, kept=sure, images_kept=1)
        counts.dropped[len(REASONS.labels) + reason] += sure
        return counts

    def image_counts(self, reason: int) -> Counts:
        """Return the counts of one image without its pixels."""
        counts = Counts.nothing(REASONS, len(self.categories))
        if reason >= 0:
            counts.images_dropped[reason] += 1
        return counts


def trials(
    shards: Sequence[tables.Shard], truth: Dataset, folder: Path, _: SemanticFilter
) -> Trials:
    """Return all predicted pixels of labelled images against their true classes."""
    maps = (
        (
            read_map(label_path(shard.path.parent, image_id)),
            read_map(confidence_path(shard.path.parent, image_id)),
            read_map(map_path(folder, image_id)),
        )
        for shard in shards
        for image_id in shard.images.ids.tolist()
    )
    return pixel_trials(maps, len(truth.categories))


def agreement(
    now: Annotations, before: Annotations, folder: Path, folder_before: Path
) -> tuple[int, int]:
    """Return how many pixels two rounds label alike, and how many any of them labels.

    Images that one of the rounds dropped do not count.
    """
    same = either = 0
    for image_id in np.intersect1d(now.image_ids, before.image_ids).tolist():
        one, other = (read_map(map_path(it, image_id)) for it in (folder, folder_before))
        either += int(((one != UNLABELLED) | (other != UNLABELLED)).sum())
        same += int(((one == other) & (one != UNLABELLED)).sum())
    return same, either


PIXELS = Filtering(PixelRule, trials, agreement)
