"""The filters of detection and instance segmentation: objects, then whole images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import boxes
from pseudolabel.core.records import Annotations, Dataset, Images
from pseudolabel.formats.shards import Shard, read_shard, read_unreadable
from pseudolabel.params.filter import InstanceFilter, ObjectFilter
from pseudolabel.silver.calibration import scale_scores
from pseudolabel.silver.filter_counts import POOL_REASONS, Counts, Reasons
from pseudolabel.silver.matching import MATCH_IOU, ScoredLabels, match_objects
from pseudolabel.silver.object_filters import (
    Candidates,
    Mask,
    not_covered,
    not_suppressed,
    off_edge,
    wide_enough,
)
from pseudolabel.silver.task_filter import OUTCOME_NAMES, FilterResult, TaskFilter
from pseudolabel.silver.thresholds import class_thresholds

_Passed = tuple[str, Mask]
"""The name of a filter, and which rows pass it."""

_IMAGE_REASONS = (
    "unreadable",
    "min_boxes",
    "max_boxes",
    "min_confident_share",
    "max_hidden_area",
    *POOL_REASONS,
)


@dataclass(frozen=True)
class BoxFilter(TaskFilter):
    """Filters predicted boxes: each on its own, then against its neighbours, then whole images.

    A box with a score between `hide_score` and the threshold of its class is uncertain: neither a
    label nor background, it is hidden from training.
    """

    section: ObjectFilter
    reasons: ClassVar[Reasons] = Reasons(
        "annotations", ("score", "min_side", "edge", "nms"), _IMAGE_REASONS
    )

    def filter_shard(
        self,
        shard: Shard,
        output: Path,  # noqa: ARG002 - no files beside the shards
    ) -> FilterResult:
        """Filter a shard's predictions."""
        unreadable = np.array(read_unreadable(shard.path), str)
        rows = read_shard(shard.path)
        rows = replace(rows, scores=scale_scores(rows.scores, self.temperature))
        is_unreadable = np.isin(shard.images.file_names.astype(str), unreadable)
        return self.filter_rows(rows, shard.images, is_unreadable)

    def filter_rows(
        self, predictions: Annotations, images: Images, unreadable: Mask
    ) -> FilterResult:
        """Filter predictions; a row counts under the first filter that drops it.

        Args:
            predictions: the predictions for `images`.
            images: (n,) images that were labelled, with or without predictions.
            unreadable: (n,) images that could not be decoded.
        """
        found = Candidates.from_predictions(predictions, images, self.categories, self.section)
        label_reasons = np.full(len(predictions), -1, np.int64)
        for filters in (self.single_filters, self.neighbour_filters):
            left = np.flatnonzero(label_reasons < 0)
            for name, passed in filters(found if len(left) == len(predictions) else found[left]):
                rows = left[~passed]
                first = rows[label_reasons[rows] < 0]
                label_reasons[first] = self.reasons.labels.index(name)
        passed_all = label_reasons < 0
        kept, hidden = found[passed_all & found.confident], found[passed_all & ~found.confident]
        boxes_left = np.bincount(kept.image_rows, minlength=len(images))
        image_reasons = _image_reasons(boxes_left, hidden, unreadable, self.section)
        counts = Counts.from_rows(
            self.reasons,
            label_reasons,
            image_reasons,
            found.image_rows,
            ~found.confident,
            found.classes,
            len(self.categories),
        )
        stays = passed_all & (image_reasons[found.image_rows] < 0)
        silver = replace(predictions[stays], crowds=~found.confident[stays])
        outcomes = np.where(passed_all, ~found.confident, label_reasons + len(OUTCOME_NAMES))
        reliabilities = _image_certainty(found)
        return FilterResult(silver, boxes_left, image_reasons, reliabilities, counts, outcomes)

    def single_filters(self, found: Candidates) -> list[_Passed]:
        """Return the filters of single predictions."""
        section, rows = self.section, found.rows
        passed = found.confident
        if section.hide_score is not None:
            lowest = class_thresholds(section.hide_score, self.categories, "hide_score")
            passed = passed | (rows.scores >= lowest[found.classes])
        return [
            ("score", passed),
            ("min_side", wide_enough(rows, section.min_side)),
            ("edge", off_edge(found, section.edge_margin)),
        ]

    def neighbour_filters(self, found: Candidates) -> list[_Passed]:
        """Return the filters that compare a prediction with the others of its image."""
        iou = self.section.nms_iou
        passed: Mask = not_suppressed(found.rows, iou)
        if self.section.hide_score is not None:
            # An uncertain box is not hidden if a better box of any class overlaps it.
            left = np.flatnonzero(passed)
            rows = found.rows[left]
            distinct = boxes.grouped_nms(rows.boxes_xyxy, rows.scores, rows.image_ids, iou)
            passed[left] = found.confident[left] | distinct
        return [("nms", passed)]

    @classmethod
    def match(
        cls,
        shards: Sequence[Shard],
        truth: Dataset,
        folder: Path,  # noqa: ARG003 - all labels are in the COCO file
        section: ObjectFilter,
    ) -> ScoredLabels:
        """Return the objects that the filter keeps without score thresholds, compared with gold."""
        open_values = {"score": 0.0, "hide_score": None, "min_boxes": 0, "max_boxes": sys.maxsize}
        open_filter = cls(truth.categories, section.model_copy(update=open_values), 0)
        parts = [open_filter.filter_shard(shard, Path()).silver for shard in shards]
        return match_objects(Annotations.concatenate(parts), truth)

    @staticmethod
    def agreement(
        now: Annotations,
        before: Annotations,
        shard: Path,  # noqa: ARG004 - the rows have all labels
        shard_before: Path,  # noqa: ARG004 - the same
    ) -> tuple[int, int]:
        """Return how many labels have a match in the other round, and the number of all labels.

        A match is a label of the same image and class with an IoU above 0.5.
        """
        rows = Annotations.concatenate([now[~now.crowds], before[~before.crowds]])
        if not len(rows):
            return 0, 0
        is_now = np.arange(len(rows)) < int((~now.crowds).sum())
        groups = rows.image_ids * (int(rows.category_ids.max()) + 1) + rows.category_ids
        order = np.argsort(groups, kind="stable")
        pairs = boxes.overlapping_pairs(rows.boxes_xyxy[order], groups[order], MATCH_IOU)
        first, second = order[pairs[0]], order[pairs[1]]
        across = is_now[first] != is_now[second]
        return len(np.unique([first[across], second[across]])), len(rows)


@dataclass(frozen=True)
class MaskFilter(BoxFilter):
    """Filters predicted masks: by their boxes, and by stability, area and overlap of masks."""

    section: InstanceFilter
    reasons: ClassVar[Reasons] = Reasons(
        "annotations",
        ("score", "min_side", "edge", "min_stability", "min_area", "nms", "max_overlap"),
        _IMAGE_REASONS,
    )

    def single_filters(self, found: Candidates) -> list[_Passed]:
        """Return the filters of single predictions."""
        rows, section = found.rows, self.section
        return [
            *super().single_filters(found),
            ("min_stability", ~(rows.stabilities < section.min_stability)),
            ("min_area", rows.areas >= section.min_area),
        ]

    def neighbour_filters(self, found: Candidates) -> list[_Passed]:
        """Return the filters that compare a prediction with the others of its image."""
        ((name, distinct),) = super().neighbour_filters(found)
        passed = distinct.copy()
        passed[distinct] = not_covered(found[distinct], self.section.max_overlap)
        return [(name, distinct), ("max_overlap", passed)]


def _image_certainty(found: Candidates) -> NDArray[np.float32]:
    """Return the (n,) mean score of each image's predictions, weighted by the scores."""
    scores, count = found.rows.scores.astype(np.float64), len(found.images)
    total = np.bincount(found.image_rows, scores, count)
    squares = np.bincount(found.image_rows, scores**2, count)
    return (squares / np.where(total > 0, total, 1)).astype(np.float32)


def _image_reasons(
    boxes_left: NDArray[np.int64], hidden: Candidates, unreadable: Mask, section: ObjectFilter
) -> NDArray[np.int64]:
    """Return the (n,) reason to drop each image, an index into _IMAGE_REASONS; -1 for none."""
    reasons = np.full(len(boxes_left), -1, np.int64)
    images = hidden.images
    boxes_hidden = np.bincount(hidden.image_rows, minlength=len(images))
    areas = np.bincount(hidden.image_rows, boxes.areas(hidden.rows.boxes_xyxy), len(images))
    pixels = images.widths.astype(np.float64) * images.heights
    reasons[areas > section.max_hidden_area * pixels] = _IMAGE_REASONS.index("max_hidden_area")
    uncertain = boxes_left < section.min_confident_share * (boxes_left + boxes_hidden)
    reasons[uncertain] = _IMAGE_REASONS.index("min_confident_share")
    reasons[boxes_left > section.max_boxes] = _IMAGE_REASONS.index("max_boxes")
    reasons[boxes_left < section.min_boxes] = _IMAGE_REASONS.index("min_boxes")
    reasons[unreadable] = _IMAGE_REASONS.index("unreadable")
    return reasons
