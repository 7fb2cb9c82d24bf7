"""The parameters that only some tasks have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pseudolabel.params.common import Evaluate, Params, Prepare, PseudoLabel
from pseudolabel.params.export import InstanceExport
from pseudolabel.params.filter import InstanceFilter, ObjectFilter, SemanticFilter, lowest_threshold
from pseudolabel.params.train import Train
from pseudolabel.params.tune import ObjectTune
from pseudolabel.params.types import (
    Allowed,
    Flag,
    Number,
    OpenShare,
    Positive,
    Rule,
)

_SMALLEST_ALPHA = 0.001
Partial = Annotated[
    Literal["all"] | Annotated[list[str], Field(min_length=1)] | None,
    Allowed("all, a list of classes or images, or null if gold is complete"),
]

Overlap = Annotated[
    OpenShare | None, Allowed("a number above 0 and below 1, or null for the model's own")
]


class ClassificationTrain(Train):
    """The training, the same in every round, so that rounds can be compared."""

    mixup: Annotated[Number, Field(ge=0, le=1000)]
    """Alpha of MixUp, 0 for none."""
    cutmix: Annotated[Number, Field(ge=0, le=1000)]
    """Alpha of CutMix, 0 for none."""
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)]
    """Share of a label spread over all classes."""
    soft_labels: Flag
    """Whether students learn the teacher's probabilities."""

    def broken_rules(self) -> Iterator[Rule]:
        """Require alphas from which shares can be drawn: smaller ones give NaN."""
        yield from super().broken_rules()
        for key, alpha in (("mixup", self.mixup), ("cutmix", self.cutmix)):
            if 0 < alpha < _SMALLEST_ALPHA:
                yield Rule(key, f"0, or at least {_SMALLEST_ALPHA}", alpha)


class ObjectTrain(Train):
    """The training, the same in every round, so that rounds can be compared."""

    silver_weights: Literal["equal", "score"]
    """Weight of silver objects in the loss."""


class ClassificationParams(Params):
    """All parameters of classification."""

    train: ClassificationTrain


class ObjectPrepare(Prepare):
    """The splits: how val and tuning are split off, and how duplicates are found."""

    partial: Partial
    """Gold that silver may add objects to."""

    @property
    def partly_labelled(self) -> Literal["all"] | list[str] | None:
        """The classes and images of gold that silver may add objects to; None without any."""
        return self.partial


class ObjectLabel(PseudoLabel):
    """The pseudo-labels: which models predict the pool, and how."""

    score_floor: OpenShare
    """Lowest score of a stored prediction."""
    nms_iou: Overlap
    """IoU above which the model drops a box."""


class ObjectEvaluate(Evaluate):
    """The validation: how models are scored and compared."""

    score_floor: OpenShare
    """Lowest score of a prediction that counts."""
    nms_iou: Overlap
    """IoU above which the model drops a box."""
    max_boxes: Positive
    """Predictions per image and class that count."""
    measure: Literal["mAP", "mAP_50", "mAP_75"]
    """Metric that decides which round is the best."""


def _floor_rules(label: ObjectLabel, section: ObjectFilter) -> Iterator[Rule]:
    """Require thresholds at or above the floor, because predictions below it are not stored."""
    for key, score in (("score", section.score), ("hide_score", section.hide_score)):
        lowest = 1.0 if score is None else lowest_threshold(score)
        if lowest < label.score_floor:
            expected = (
                f"at least pseudo_label.score_floor ({label.score_floor}), "
                "below which no prediction is stored"
            )
            yield Rule(f"filter.{key}", expected, lowest)


class ObjectParams(Params):
    """All parameters of tasks whose labels are objects."""

    rules_between: ClassVar[dict[tuple[str, ...], Callable[..., Iterator[Rule]]]] = {
        **Params.rules_between,
        ("pseudo_label", "filter"): _floor_rules,
    }

    prepare: ObjectPrepare
    train: ObjectTrain
    pseudo_label: ObjectLabel
    filter: ObjectFilter
    evaluate: ObjectEvaluate
    tune: ObjectTune


class InstanceParams(ObjectParams):
    """All parameters of instance segmentation."""

    filter: InstanceFilter
    export: InstanceExport


class SemanticParams(Params):
    """All parameters of semantic segmentation."""

    filter: SemanticFilter
