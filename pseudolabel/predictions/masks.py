"""Masks, as mmdet's models predict them, with the stability of each mask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict

from pseudolabel.core import masks
from pseudolabel.core.columns import object_array
from pseudolabel.core.records import Annotations
from pseudolabel.models.full_mask_head import RTMDetInsFullMaskHead
from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.predictions.mask_pasting import paste_only_usable
from pseudolabel.predictions.objects import BoxPredictor, best_first
from pseudolabel.predictions.task_predictor import PredictOptions

paste_only_usable()

with quiet_imports():
    from mmdet.models.dense_heads import RTMDetInsHead, RTMDetInsSepBNHead
    from mmdet.registry import MODELS

_MARGIN = 0.2
"""How far a mask's threshold moves above and below 0.5 to measure its stability."""


def _mask_stability(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the (n,) stability of (n, h, w) soft masks: the IoU at a high and a low threshold.

    The mask at the high threshold is inside the other one, so that the IoU is the ratio of their
    areas. Kirillov et al. 2023 move the threshold of the logits by 1. An empty mask has 0.
    """
    strict = (probabilities > 0.5 + _MARGIN).flatten(1).sum(1)
    generous = (probabilities > 0.5 - _MARGIN).flatten(1).sum(1)
    return strict / generous.clamp(min=1)


class _ReportsStability:
    """A head of RTMDet-Ins that reports the stability of its masks, at their resolution."""

    def _mask_predict_by_feat_single(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Store the stabilities before the masks are resized and cropped."""
        logits: torch.Tensor = super()._mask_predict_by_feat_single(*args, **kwargs)  # type: ignore[misc]
        self.stabilities = _mask_stability(logits.sigmoid())
        return logits

    def _bbox_mask_post_process(self, *args: Any, **kwargs: Any) -> Any:
        """Return the results, with the stability of each mask."""
        results = super()._bbox_mask_post_process(*args, **kwargs)  # type: ignore[misc]
        if len(results):
            results.stabilities = self.stabilities
        return results


@MODELS.register_module()
class StableRTMDetInsHead(_ReportsStability, RTMDetInsHead):  # type: ignore[misc]
    """The head of RTMDet-Ins, with stabilities."""


@MODELS.register_module()
class StableRTMDetInsSepBNHead(_ReportsStability, RTMDetInsSepBNHead):  # type: ignore[misc]
    """The head of RTMDet-Ins with separate batch norms per level, with stabilities."""


@MODELS.register_module()
class StableRTMDetInsFullMaskHead(_ReportsStability, RTMDetInsFullMaskHead):
    """The head of RTMDet-Ins that learns masks at every pixel, with stabilities."""


class MaskPredictor(BoxPredictor):
    """Predicts masks; the box of an object is the box of its mask."""

    def predicting_model(self, model: ConfigDict, section: Any) -> dict[str, Any]:
        """Return the model's config, with soft masks or stabilities if the model has them."""
        predicting = super().predicting_model(model, section)
        second_stage = (predicting.get("test_cfg") or {}).get("rcnn") or {}
        if "mask_thr_binary" in second_stage:
            # A threshold below 0 makes the head return probabilities in steps of 1/255.
            second_stage["mask_thr_binary"] = -1
        head = predicting.get("bbox_head") or {}
        if str(head.get("type")).startswith("RTMDetIns"):
            head["type"] = f"Stable{head['type']}"
        return predicting

    def image_objects(self, sample: Any, options: PredictOptions) -> Annotations:
        """Return the objects of one image whose mask is not empty, best first."""
        instances = sample.pred_instances
        scores = instances.scores.cpu().numpy()
        usable, too_low = np.isfinite(scores), scores < options.section.score_floor
        order = best_first(scores, usable & ~too_low)
        kept = torch.as_tensor(order, device=instances.scores.device)
        pixels, stabilities = instances.masks[kept], np.full(len(order), np.nan, np.float32)
        if pixels.dtype == torch.uint8:
            stabilities = _mask_stability(pixels / 255).cpu().numpy()
            pixels = pixels > 127
        elif "stabilities" in instances:
            stabilities = instances.stabilities[kept].cpu().numpy()
        if sample.flip:
            pixels = pixels.flip(-1)
        height, width = sample.ori_shape
        counts = object_array(masks.encode(pixels.cpu().numpy()) if len(order) else [])
        rows = Annotations.predicted(
            np.full(len(order), sample.img_id, np.int64),
            options.category_ids[instances.labels.long().cpu().numpy()[order]],
            masks.boxes_xyxy(counts, height, width),
            scores[order],
            options.round_number,
        )
        areas = masks.areas(counts, height, width)
        stabilities = stabilities.astype(np.float32)
        rows = replace(rows, masks=counts, areas=areas, stabilities=stabilities)
        options.left_out.add(np.concatenate([~usable, areas == 0]))
        return rows[areas > 0]


PREDICTOR = MaskPredictor()
