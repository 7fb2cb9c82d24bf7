"""What only object detection has in params.yaml; instance segmentation builds on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pseudolabel.params.sections import (
    Count,
    Filter,
    Params,
    Predict,
    PseudoLabel,
    Share,
    Some,
    Views,
    Within,
)


class ObjectLabel(PseudoLabel):
    """How the champion labels the pool; whatever scores above the floor is written down."""

    score_floor: Within


class DetectionLabel(ObjectLabel):
    """The same, with a mirrored view on request."""

    flip: bool

    @property
    def views(self) -> Views:
        """The plain view, and the mirrored one on request."""
        return Views(flip=self.flip)


class ObjectFilter(Filter):
    """Which predicted boxes become silver labels."""

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


class ObjectEvaluate(Predict):
    """How models are judged: the best `max_boxes` of an image and class, above the floor."""

    score_floor: Within
    max_boxes: Some


class ObjectParams(Params):
    """The parameters of tasks whose labels are objects."""

    pseudo_label: ObjectLabel
    filter: ObjectFilter
    evaluate: ObjectEvaluate

    @model_validator(mode="after")
    def threshold_above_floor(self) -> ObjectParams:
        """Refuse a score threshold under the floor: what lies between was never written."""
        lowest = self.filter.lowest_score
        if lowest < self.pseudo_label.score_floor:
            raise ValueError(
                f"filter.score {lowest} is under pseudo_label.score_floor "
                f"{self.pseudo_label.score_floor}: predictions below the floor are not written"
            )
        return self


class DetectionParams(ObjectParams):
    """The parameters of object detection."""

    pseudo_label: DetectionLabel
