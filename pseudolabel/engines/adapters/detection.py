"""Object detection by mmdet; on request, a mirrored view is joined with the plain one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import ConfigDict

from pseudolabel.engines.adapters.objects import ObjectAdapter

JOINING_IOU = 0.65
"""Boxes of two views that overlap by more are one object."""
JOINED = 300
"""Objects an image keeps when views are joined."""


class DetectionAdapter(ObjectAdapter):
    """Boxes of one or two views."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the model that predicts, in one that joins views where there are two."""
        predicting = super().predicting_model(model, section)
        if not section.views.flip:
            return predicting
        nms = {"type": "nms", "iou_threshold": JOINING_IOU}
        joined = ConfigDict(nms=nms, max_per_img=JOINED)
        return {"type": "DetTTAModel", "module": predicting, "tta_cfg": joined}

    def samples(self, model: Any, views: list[Any]) -> Sequence[Any]:
        """Return mmdet's results for a batch, one an image."""
        if len(views) == 1:
            return super().samples(model, views)
        joined = {key: [view[key] for view in views] for key in views[0]}
        results: Sequence[Any] = model.test_step(joined)
        return results


ADAPTER = DetectionAdapter()
