"""What only object detection has in params.yaml; instance segmentation builds on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pseudolabel.params.base import Count, Share, Some, Threshold, Within
from pseudolabel.params.filtering import Filter
from pseudolabel.params.sections import Params, Predict, PseudoLabel
from pseudolabel.params.tune import ObjectTune


class ObjectLabel(PseudoLabel):
    """How the champion labels the pool; whatever scores above the floor is written down."""

    score_floor: Within
    nms_iou: Within | None


class ObjectFilter(Filter):
    """Which predicted boxes become silver labels, and which are hidden."""

    hide_score: Threshold | None
    min_sure: Share
    max_hidden_area: Share
    nms_iou: Share
    min_side: Annotated[float, Field(ge=1)]
    edge_margin: Annotated[float, Field(ge=0)] | None
    min_boxes: Count
    max_boxes: Some

    @model_validator(mode="after")
    def counts_fit(self) -> ObjectFilter:
        """Refuse a box count that no image can have."""
        if self.min_boxes > self.max_boxes:
            raise ValueError(f"min_boxes must not be above max_boxes ({self.max_boxes})")
        return self

    @model_validator(mode="after")
    def doubt_is_told(self) -> ObjectFilter:
        """Refuse limits to doubt where nothing is in doubt."""
        if self.hide_score is None and (self.min_sure > 0 or self.max_hidden_area < 1):
            raise ValueError("min_sure and max_hidden_area need hide_score, the score of doubt")
        return self

    @property
    def lowest_score(self) -> float:
        """The lowest score that is looked at, of labels or of what is hidden."""
        lowest = super().lowest_score
        if self.hide_score is None:
            return lowest
        hidden = self.hide_score
        return min(lowest, min(hidden.values()) if isinstance(hidden, dict) else hidden)


class ObjectEvaluate(Predict):
    """How models are judged: the best `max_boxes` of an image and class, above the floor.

    `measure` is what rounds win by.
    """

    score_floor: Within
    nms_iou: Within | None
    max_boxes: Some
    measure: Literal["mAP", "mAP_50", "mAP_75"]


class ObjectParams(Params):
    """The parameters of tasks whose labels are objects."""

    pseudo_label: ObjectLabel
    filter: ObjectFilter
    evaluate: ObjectEvaluate
    tune: ObjectTune

    @model_validator(mode="after")
    def threshold_above_floor(self) -> ObjectParams:
        """Refuse a score threshold under the floor: what lies between was never written."""
        lowest = self.filter.lowest_score
        if lowest < self.pseudo_label.score_floor:
            raise ValueError(
                f"filter.score or hide_score {lowest} is under pseudo_label.score_floor "
                f"{self.pseudo_label.score_floor}: predictions below the floor are not written"
            )
        return self
