"""Instance segmentation by mmdet: boxes, masks, and how steady each mask is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.models.dense_heads import RTMDetInsHead, RTMDetInsSepBNHead
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

from pseudolabel import masks
from pseudolabel.engines.adapter import Request
from pseudolabel.engines.adapters.objects import ObjectAdapter, best_first
from pseudolabel.params.sections import Params
from pseudolabel.records import Annotations, Category, object_array

MARGIN = 0.2
"""How far above and below 0.5 a mask's threshold moves when its stability is taken."""
SEMANTIC_BRANCH = ("semantic_head", "semantic_roi_extractor")
"""Parts of HTC and SCNet that learn from maps of stuff, which COCO's objects do not have."""


def stability(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the (n,) overlap of each of (n, h, w) soft masks taken strictly and generously.

    The strict mask lies inside the generous one, so that their IoU is the ratio of their areas
    (Kirillov et al. 2023, who move the threshold of the logits by 1). 0 for a mask of nothing.
    """
    strict = (probabilities > 0.5 + MARGIN).flatten(1).sum(1)
    generous = (probabilities > 0.5 - MARGIN).flatten(1).sum(1)
    return strict / generous.clamp(min=1)


class SteadyMasks:
    """A head of RTMDet-Ins that also tells the stability of its masks, at their own resolution."""

    def _mask_predict_by_feat_single(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Keep the stabilities of the masks before they are enlarged and cut."""
        logits: torch.Tensor = super()._mask_predict_by_feat_single(*args, **kwargs)  # type: ignore[misc]
        self.stabilities = stability(logits.sigmoid())
        return logits

    def _bbox_mask_post_process(self, *args: Any, **kwargs: Any) -> Any:
        """Return the results with their stabilities."""
        results = super()._bbox_mask_post_process(*args, **kwargs)  # type: ignore[misc]
        if len(results):
            results.stabilities = self.stabilities
        return results


@MODELS.register_module()
class SteadyRTMDetInsHead(SteadyMasks, RTMDetInsHead):  # type: ignore[misc]
    """The head of RTMDet-Ins, with stabilities."""


@MODELS.register_module()
class SteadyRTMDetInsSepBNHead(SteadyMasks, RTMDetInsSepBNHead):  # type: ignore[misc]
    """The head of RTMDet-Ins with batch norms of their own for each level, with stabilities."""


class InstanceAdapter(ObjectAdapter):
    """Masks of one view; an object's box is that of its mask."""

    load_annotations: ClassVar[dict[str, Any]] = {
        "type": "LoadAnnotations",
        "with_bbox": True,
        "with_mask": True,
    }

    def adapt_model(
        self, config: Config, categories: Sequence[Category], params: Params
    ) -> ConfigDict:
        """Return a config's model for these classes, without a branch that needs maps of stuff."""
        model = super().adapt_model(config, categories, params)
        for name in SEMANTIC_BRANCH:
            model.get("roi_head", {}).pop(name, None)
        return model

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the model that predicts, with soft masks or stabilities where it has them."""
        predicting = super().predicting_model(model, section)
        second_stage = (predicting.get("test_cfg") or {}).get("rcnn") or {}
        if "mask_thr_binary" in second_stage:
            # Below 0, the head gives its masks as probabilities in 255ths.
            second_stage["mask_thr_binary"] = -1
        head = predicting.get("bbox_head") or {}
        if str(head.get("type")).startswith("RTMDetIns"):
            head["type"] = f"Steady{head['type']}"
        return predicting

    def rows(self, sample: Any, request: Request) -> Annotations:
        """Return the objects of one image whose mask has a pixel, best first."""
        found = sample.pred_instances
        scores = found.scores.cpu().numpy()
        order = best_first(scores, scores >= request.section.score_floor)
        kept = torch.as_tensor(order, device=found.scores.device)
        pixels, steady = found.masks[kept], np.full(len(order), np.nan, np.float32)
        if pixels.dtype == torch.uint8:
            steady = stability(pixels / 255).cpu().numpy()
            pixels = pixels > 127
        elif "stabilities" in found:
            steady = found.stabilities[kept].cpu().numpy()
        if sample.flip:
            pixels = pixels.flip(-1)
        height, width = sample.ori_shape
        counts = object_array(masks.encode(pixels.cpu().numpy()) if len(order) else [])
        rows = Annotations.predicted(
            np.full(len(order), sample.img_id, np.int64),
            request.category_ids[found.labels.long().cpu().numpy()[order]],
            masks.boxes_xyxy(counts, height, width),
            scores[order],
            request.round_number,
        )
        areas = masks.areas(counts, height, width)
        rows = replace(rows, masks=counts, areas=areas, stabilities=steady.astype(np.float32))
        return rows[areas > 0]


ADAPTER = InstanceAdapter()
