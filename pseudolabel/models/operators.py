"""Operators with mmcv's names and signatures, by torchvision: suppression, losses, regions.

Most write into tensors that they are given. They run on CPU and CUDA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import Tensor

from pseudolabel.core.errors import ModelError

_LINEAR, _GAUSSIAN = 1, 2
"""Ways of soft NMS to lower scores; 0 is plain NMS."""


def missing_operator(name: str) -> Callable[..., Any]:
    """Return a function that raises: torchvision has no such operator."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ModelError(
            f"the model needs mmcv's operator {name!r}, which is not part of torchvision: run "
            "`make ops` to compile mmcv's operators (it needs a C++ compiler and Python's headers)"
        )

    return refuse


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the rows that greedy non-maximum suppression keeps, best first.

    Args:
        boxes: (n, 4) x1, y1, x2, y2.
        scores: (n,) scores.
        iou_threshold: a box is dropped if its IoU with a better one is larger.
        offset: added to width and height, 0 or 1.
    """
    corners = boxes + boxes.new_tensor([0, 0, offset, offset])
    kept: Tensor = torch.ops.torchvision.nms(corners, scores, iou_threshold)
    return kept


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Return the rows that soft NMS keeps, and write boxes with new scores (Bodla et al. 2017).

    The score of a box is lowered by its overlap with each better one: by 1 - IoU above the
    threshold (linear), or by exp(-IoU^2 / sigma) (Gaussian).

    Args:
        boxes: (n, 4) x1, y1, x2, y2, on the CPU.
        scores: (n,) scores.
        dets: (n, 5) to write box and score of the kept rows to, best first.
        iou_threshold: of plain and linear suppression.
        sigma: of Gaussian suppression.
        min_score: a box is dropped if its score falls below it.
        method: 0 plain, 1 linear, 2 Gaussian.
        offset: added to width and height, 0 or 1.
    """
    corners, lowered = boxes + boxes.new_tensor([0, 0, offset, offset]), scores.clone()
    left = torch.arange(len(boxes))
    kept: list[int] = []
    while len(left):
        place = int(lowered[left].argmax())
        best = int(left[place])
        dets[len(kept)] = torch.cat([boxes[best], lowered[best, None]])
        kept.append(best)
        left = torch.cat([left[:place], left[place + 1 :]])
        ious = torchvision.ops.box_iou(corners[best, None], corners[left])[0].nan_to_num()
        if method == _GAUSSIAN:
            factors = torch.exp(-(ious**2) / sigma)
        else:
            weaker = 1 - ious if method == _LINEAR else torch.zeros_like(ious)
            factors = torch.where(ious >= iou_threshold, weaker, torch.ones_like(ious))
        lowered[left] *= factors
        left = left[lowered[left] >= min_score]
    return torch.tensor(kept, dtype=torch.int64)


def sigmoid_focal_loss_forward(
    logits: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the focal loss of each class (Lin et al. 2017, equation 5, with sigmoids).

    Args:
        logits: (n, c).
        target: (n,) class of each row, c for background.
        weight: (c,) weight of each class, or empty.
        output: (n, c) to write to.
        gamma: exponent that lowers the loss of easy rows.
        alpha: weight of the row's class; other classes have 1 - alpha.
    """
    right, p, log_p, log_q = _focal_terms(logits, target)
    losses = torch.where(right, -alpha * (1 - p) ** gamma * log_p, -(1 - alpha) * p**gamma * log_q)
    output.copy_(losses * _row_weights(weight, target, logits))


def sigmoid_focal_loss_backward(
    logits: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of the focal loss by the logits; arguments as in the forward pass."""
    right, p, log_p, log_q = _focal_terms(logits, target)
    gradients = torch.where(
        right,
        -alpha * (1 - p) ** gamma * (1 - p - gamma * p * log_p),
        -(1 - alpha) * p**gamma * (gamma * (1 - p) * log_q - p),
    )
    grad_input.copy_(gradients * _row_weights(weight, target, logits))


def _focal_terms(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return where a column is the row's class, p, log p and log (1 - p)."""
    classes = torch.arange(logits.shape[1], device=logits.device)
    log_sigmoid = torch.nn.functional.logsigmoid
    return target[:, None] == classes, logits.sigmoid(), log_sigmoid(logits), log_sigmoid(-logits)


def _row_weights(weight: Tensor, target: Tensor, logits: Tensor) -> Tensor:
    if not weight.numel():
        return logits.new_ones(1)
    with_background = torch.cat([weight, weight.new_ones(1)])
    return with_background[target][:, None]


def roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,  # noqa: ARG001 - of max pooling
    argmax_x: Tensor,  # noqa: ARG001
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the features of regions, by bilinear samples (He et al. 2017).

    Args:
        features: (b, c, h, w).
        rois: (n, 5) image, x1, y1, x2, y2.
        output: (n, c, aligned_height, aligned_width) to write to.
        argmax_y: not used.
        argmax_x: not used.
        aligned_height: bins of a region.
        aligned_width: bins of a region.
        spatial_scale: of regions, to the size of the features.
        sampling_ratio: samples per bin and axis, 0 for as many as the bin has pixels.
        pool_mode: 1, the mean of samples.
        aligned: whether pixel centres lie at half pixels.

    Raises:
        ModelError: the maximum of samples is asked for.
    """
    if not pool_mode:
        missing_operator("roi_align with pool_mode max")()
    output.copy_(
        torch.ops.torchvision.roi_align(
            features, rois, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,  # noqa: ARG001 - of max pooling
    argmax_x: Tensor,  # noqa: ARG001
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,  # noqa: ARG001 - checked in the forward pass
    aligned: bool,
) -> None:
    """Write the gradient of `roi_align_forward` by its features."""
    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(  # noqa: SLF001 - it has no public name
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    )


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,  # noqa: ARG001 - follows from the shapes
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,  # noqa: ARG001 - of the compiled operator
) -> Tensor:
    """Return multi-scale deformable attention (Zhu et al. 2021), by mmcv's own PyTorch form."""
    from mmcv.ops.multi_scale_deform_attn import (  # noqa: PLC0415 - it needs this module
        multi_scale_deformable_attn_pytorch,
    )

    output: Tensor = multi_scale_deformable_attn_pytorch(
        value, spatial_shapes, sampling_locations, attention_weights
    )
    return output


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_locations: Tensor,
    grad_attention_weights: Tensor,
    im2col_step: int,
) -> None:
    """Write the gradients of `ms_deform_attn_forward`, by running it once more."""
    inputs = [
        tensor.detach().requires_grad_()
        for tensor in (value, sampling_locations, attention_weights)
    ]
    with torch.enable_grad():
        output = ms_deform_attn_forward(
            inputs[0], spatial_shapes, level_start_index, inputs[1], inputs[2], im2col_step
        )
        gradients = torch.autograd.grad(output, inputs, grad_output)
    for target, gradient in zip(
        (grad_value, grad_sampling_locations, grad_attention_weights), gradients, strict=True
    ):
        target.copy_(gradient)
