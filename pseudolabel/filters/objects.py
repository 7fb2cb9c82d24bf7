"""Which predicted objects become silver labels, which are hidden, and which images stay."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel import boxes
from pseudolabel.filters.candidates import (
    Candidates,
    Mask,
    not_covered,
    not_suppressed,
    off_the_edge,
    wide_enough,
)
from pseudolabel.filters.counts import (
    HIDDEN,
    KEPT,
    POOL_REASONS,
    Filtering,
    Judged,
    Reasons,
    count_rows,
    thresholds_of,
)
from pseudolabel.formats import tables
from pseudolabel.params.detection import ObjectFilter
from pseudolabel.params.instance import InstanceFilter
from pseudolabel.quality import SAME_IOU, Trials, object_trials
from pseudolabel.records import Annotations, Category, Dataset, Images
from pseudolabel.temperature import tempered

Verdict = tuple[str, Mask]
"""The name of a filter, and which rows pass it."""

IMAGE_REASONS = (
    "unreadable",
    "min_boxes",
    "max_boxes",
    "min_sure",
    "max_hidden_area",
    *POOL_REASONS,
)
BOX_REASONS = Reasons("annotations", ("score", "min_side", "edge", "nms"), IMAGE_REASONS)
MASK_REASONS = Reasons(
    "annotations",
    ("score", "min_side", "edge", "min_stability", "min_area", "nms", "max_overlap"),
    IMAGE_REASONS,
)


@dataclass(frozen=True)
class BoxRule:
    """Judges predicted boxes: each by itself, then against its neighbours, images last.

    A box between `hide_score` and its class's threshold is in doubt: neither a label nor
    background, it is hidden from training.

    Attributes:
        categories: the classes.
        section: the thresholds.
        temperature: of the scores.
    """

    categories: tuple[Category, ...]
    section: ObjectFilter
    temperature: float = 1.0
    reasons = BOX_REASONS

    def judge(self, shard: tables.Shard, output: Path) -> Judged:  # noqa: ARG002 - files are of maps
        """Return what becomes of a shard's predictions."""
        broken = np.array(tables.read_unreadable(shard.path), str)
        unreadable = np.isin(shard.images.file_names.astype(str), broken)
        rows = tables.read_shard(shard.path)
        rows = replace(rows, scores=tempered(rows.scores, self.temperature))
        return self.judge_rows(rows, shard.images, unreadable)

    def judge_rows(self, predictions: Annotations, images: Images, unreadable: Mask) -> Judged:
        """Return what becomes of predictions; a row counts under the first filter that drops it.

        Args:
            predictions: the predictions of `images`.
            images: (n,) images that were labelled, with or without predictions.
            unreadable: (n,) images that could not be decoded.
        """
        found = Candidates.of(predictions, images, self.categories, self.section)
        dropped_by = np.where(found.sure, KEPT, HIDDEN)
        for filters in (self.alone, self.among_neighbours):
            left = np.flatnonzero(dropped_by < 0)
            for name, passed in filters(found if len(left) == len(predictions) else found[left]):
                rows = left[~passed]
                fresh = rows[dropped_by[rows] < 0]
                dropped_by[fresh] = self.reasons.labels.index(name)
        sure, hidden = found[dropped_by == KEPT], found[dropped_by == HIDDEN]
        boxes_left = np.bincount(sure.image_rows, minlength=len(images))
        image_reasons = judge_images(boxes_left, hidden, unreadable, self.section)
        with_image = image_reasons[found.image_rows]
        goes = (dropped_by < 0) & (with_image >= 0)
        dropped_by[goes] = len(self.reasons.labels) + with_image[goes]
        counts = count_rows(
            self.reasons, dropped_by, found.classes, image_reasons, len(self.categories)
        )
        stays = dropped_by < 0
        silver = replace(predictions[stays], crowds=dropped_by[stays] == HIDDEN)
        return Judged(silver, boxes_left, image_reasons, certainty(found), counts)

    def alone(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at each prediction by itself."""
        section, rows = self.section, found.rows
        passed = found.sure
        if section.hide_score is not None:
            lowest = thresholds_of(section.hide_score, self.categories, "hide_score")
            passed = passed | (rows.scores >= lowest[found.classes])
        return [
            ("score", passed),
            ("min_side", wide_enough(rows, section.min_side)),
            ("edge", off_the_edge(found, section.edge_margin)),
        ]

    def among_neighbours(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at what else there is in the image."""
        iou = self.section.nms_iou
        passed: Mask = not_suppressed(found.rows, iou)
        if self.section.hide_score is not None:
            # Doubt about what a better box of any class shows is no doubt that there is something.
            left = np.flatnonzero(passed)
            rows = found.rows[left]
            distinct = boxes.grouped_nms(rows.boxes_xyxy, rows.scores, rows.image_ids, iou)
            passed[left] = found.sure[left] | distinct
        return [("nms", passed)]


@dataclass(frozen=True)
class MaskRule(BoxRule):
    """Judges predicted masks: as their boxes are judged, and by what only masks show."""

    section: InstanceFilter
    reasons = MASK_REASONS

    def alone(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at each prediction by itself."""
        rows, section = found.rows, self.section
        return [
            *super().alone(found),
            ("min_stability", ~(rows.stabilities < section.min_stability)),
            ("min_area", rows.areas >= section.min_area),
        ]

    def among_neighbours(self, found: Candidates) -> list[Verdict]:
        """Return the filters that look at what else there is in the image."""
        ((name, distinct),) = super().among_neighbours(found)
        passed = distinct.copy()
        passed[distinct] = not_covered(found[distinct], self.section.max_overlap)
        return [(name, distinct), ("max_overlap", passed)]


def trials_by(
    rule: type[BoxRule], shards: Sequence[tables.Shard], truth: Dataset, section: ObjectFilter
) -> Trials:
    """Return all objects that a rule could keep, whatever its thresholds, against their truth."""
    without = {"score": 0.0, "hide_score": None, "min_boxes": 0, "max_boxes": sys.maxsize}
    opened = rule(truth.categories, section.model_copy(update=without))
    parts = [opened.judge(shard, Path()).silver for shard in shards]
    return object_trials(Annotations.concatenate(parts), truth)


def agreement(now: Annotations, before: Annotations, *_: Path) -> tuple[int, int]:
    """Return how many labels of two rounds overlap one of their class in the other, and of all."""
    rows = Annotations.concatenate([now[~now.crowds], before[~before.crowds]])
    if not len(rows):
        return 0, 0
    of_now = np.arange(len(rows)) < int((~now.crowds).sum())
    groups = rows.image_ids * (int(rows.category_ids.max()) + 1) + rows.category_ids
    order = np.argsort(groups, kind="stable")
    pairs = boxes.overlapping_pairs(rows.boxes_xyxy[order], groups[order], SAME_IOU)
    one, other = order[pairs[0]], order[pairs[1]]
    across = of_now[one] != of_now[other]
    return len(np.unique([one[across], other[across]])), len(rows)


def filtering_by(rule: type[BoxRule]) -> Filtering:
    """Return the filtering of a rule."""
    return Filtering(
        make_rule=lambda categories, section, _, temperature: rule(
            categories, section, temperature
        ),
        trials=lambda shards, truth, _, section: trials_by(rule, shards, truth, section),
        agreement=agreement,
    )


BOXES, MASKS = filtering_by(BoxRule), filtering_by(MaskRule)


def certainty(found: Candidates) -> NDArray[np.float32]:
    """Return the (n,) mean score of each image's predictions, each weighted by its own score."""
    scores, count = found.rows.scores.astype(np.float64), len(found.images)
    total = np.bincount(found.image_rows, scores, count)
    squares = np.bincount(found.image_rows, scores**2, count)
    return (squares / np.where(total > 0, total, 1)).astype(np.float32)


def judge_images(
    boxes_left: NDArray[np.int64], hidden: Candidates, unreadable: Mask, section: ObjectFilter
) -> NDArray[np.int64]:
    """Return the (n,) reason to drop each image as an index into IMAGE_REASONS, -1 for none."""
    reasons = np.full(len(boxes_left), -1, np.int64)
    images = hidden.images
    boxes_hidden = np.bincount(hidden.image_rows, minlength=len(images))
    areas = np.bincount(hidden.image_rows, boxes.areas(hidden.rows.boxes_xyxy), len(images))
    pixels = images.widths.astype(np.float64) * images.heights
    reasons[areas > section.max_hidden_area * pixels] = IMAGE_REASONS.index("max_hidden_area")
    unsure = boxes_left < section.min_sure * (boxes_left + boxes_hidden)
    reasons[unsure] = IMAGE_REASONS.index("min_sure")
    reasons[boxes_left > section.max_boxes] = IMAGE_REASONS.index("max_boxes")
    reasons[boxes_left < section.min_boxes] = IMAGE_REASONS.index("min_boxes")
    reasons[unreadable] = IMAGE_REASONS.index("unreadable")
    return reasons
