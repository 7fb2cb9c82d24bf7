"""RTMDet-Ins whose masks are learned at the full resolution of the images."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from pseudolabel.models.quiet_imports import quiet_imports

with quiet_imports():
    from mmdet.models.dense_heads import RTMDetInsSepBNHead
    from mmdet.registry import MODELS


@MODELS.register_module()
class RTMDetInsFullMaskHead(RTMDetInsSepBNHead):  # type: ignore[misc]
    """The head of RTMDet-Ins, with a mask loss at every pixel.

    mmdet's head compares masks at every fourth pixel, and these are half a pixel away from the
    points of the prediction: outlines of small objects are learned badly. At every pixel, both are
    at the same place.

    Args:
        max_mask_pixels: the most pixels of masks in one step. If all masks have more, some of the
            points that predict an object's mask do not count, so that memory is bounded.
        options: other arguments of mmdet's head.
    """

    def __init__(self, *args: Any, max_mask_pixels: int = 2**25, **options: Any) -> None:
        super().__init__(*args, mask_loss_stride=1, **options)
        self.max_mask_pixels = max_mask_pixels

    def loss_mask_by_feat(
        self,
        mask_feats: Tensor,
        flatten_kernels: Tensor,
        sampling_results_list: list[Any],
        batch_gt_instances: list[Any],
    ) -> Tensor:
        """Return the mask loss of as many points as the limit allows, spread evenly."""
        height, width = mask_feats.shape[-2:]
        pixels = height * width * self.prior_generator.strides[0][0] ** 2
        limit = max(1, self.max_mask_pixels // pixels)
        counts = [len(sampled.pos_inds) for sampled in sampling_results_list]
        if sum(counts) > limit:
            chosen = torch.linspace(0, sum(counts) - 1, limit).round().long()
            kept = torch.zeros(sum(counts), dtype=torch.bool).index_fill(0, chosen, True)
            sampling_results_list = [
                _at_some_points(sampled, rows.to(sampled.pos_inds.device))
                for sampled, rows in zip(sampling_results_list, kept.split(counts), strict=True)
            ]
        loss: Tensor = super().loss_mask_by_feat(
            mask_feats, flatten_kernels, sampling_results_list, batch_gt_instances
        )
        return loss


def _at_some_points(sampled: Any, rows: Tensor) -> SimpleNamespace:
    """Return what the mask loss uses of sampled points, for some of them."""
    return SimpleNamespace(
        pos_inds=sampled.pos_inds[rows],
        pos_priors=sampled.pos_priors[rows],
        pos_assigned_gt_inds=sampled.pos_assigned_gt_inds[rows],
    )
