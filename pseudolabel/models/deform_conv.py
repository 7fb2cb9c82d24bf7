"""Deformable convolution with mmcv's signatures, by torchvision (Dai et al. 2017, Zhu et al. 2019).

mmcv has version 1 (offsets) and version 2 (offsets and a mask); torchvision has one operator for
both. The offsets of both are (b, 2 * groups * kh * kw, h, w), y before x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def deform_conv_forward(
    features: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,  # noqa: ARG001 - a buffer of the compiled operator
    ones: Tensor,  # noqa: ARG001
    **geometry: int,
) -> None:
    """Write a deformable convolution, version 1.

    Args:
        features: (b, c, h, w).
        weight: (c_out, c / groups, kh, kw).
        offset: (b, 2 * offset groups * kh * kw, h_out, w_out), pixels.
        output: (b, c_out, h_out, w_out) to write to.
        columns: not used.
        ones: not used.
        geometry: mmcv's dW, dH, padW, padH, dilationW, dilationH, group, deformable_group.
    """
    mask, bias = _no_mask(features), weight.new_zeros(weight.shape[0])
    shape = _version_1(geometry)
    output.copy_(
        torch.ops.torchvision.deform_conv2d(features, weight, offset, mask, bias, *shape, False)
    )


def deform_conv_backward_input(
    features: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,  # noqa: ARG001 - a buffer of the compiled operator
    **geometry: int,
) -> None:
    """Write the gradients of `deform_conv_forward` by features and offsets."""
    gradients = _backward_1(features, offset, grad_output, weight, geometry)
    grad_input.copy_(gradients[0])
    grad_offset.copy_(gradients[2])


def deform_conv_backward_parameters(
    features: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,  # noqa: ARG001 - a buffer of the compiled operator
    ones: Tensor,  # noqa: ARG001
    scale: float,
    **geometry: int,
) -> None:
    """Add the gradient of `deform_conv_forward` by its weight, times a scale."""
    # The gradient by the weight does not depend on the weight's values.
    weight = torch.zeros_like(grad_weight)
    gradients = _backward_1(features, offset, grad_output, weight, geometry)
    grad_weight.add_(gradients[1], alpha=scale)


def modulated_deform_conv_forward(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,  # noqa: ARG001 - a buffer of the compiled operator
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,  # noqa: ARG001
    with_bias: bool,
    **geometry: int,
) -> None:
    """Write a deformable convolution, version 2.

    Args:
        features: (b, c, h, w).
        weight: (c_out, c / groups, kh, kw).
        bias: (c_out,), or empty.
        ones: not used.
        offset: (b, 2 * offset groups * kh * kw, h_out, w_out), pixels.
        mask: (b, offset groups * kh * kw, h_out, w_out), the weight of each sample.
        output: (b, c_out, h_out, w_out) to write to.
        columns: not used.
        with_bias: whether there is a bias.
        geometry: mmcv's stride_w, stride_h, pad_w, pad_h, dilation_w, dilation_h, group,
            deformable_group.
    """
    own_bias = bias if with_bias else weight.new_zeros(weight.shape[0])
    output.copy_(
        torch.ops.torchvision.deform_conv2d(
            features, weight, offset, mask, own_bias, *_version_2(geometry), True
        )
    )


def modulated_deform_conv_backward(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,  # noqa: ARG001 - a buffer of the compiled operator
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,  # noqa: ARG001
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Write the gradients of `modulated_deform_conv_forward`."""
    own_bias = bias if with_bias else weight.new_zeros(weight.shape[0])
    gradients = torch.ops.torchvision._deform_conv2d_backward(  # noqa: SLF001 - no public name
        grad_output, features, weight, offset, mask, own_bias, *_version_2(geometry), True
    )
    targets = [grad_input, grad_weight, grad_offset, grad_mask]
    for target, gradient in zip(targets, gradients, strict=False):
        target.copy_(gradient)
    if with_bias:
        grad_bias.copy_(gradients[4])


def _backward_1(
    features: Tensor, offset: Tensor, grad_output: Tensor, weight: Tensor, geometry: dict[str, int]
) -> Any:
    mask, bias = _no_mask(features), weight.new_zeros(weight.shape[0])
    return torch.ops.torchvision._deform_conv2d_backward(  # noqa: SLF001 - it has no public name
        grad_output, features, weight, offset, mask, bias, *_version_1(geometry), False
    )


def _no_mask(features: Tensor) -> Tensor:
    return features.new_zeros((features.shape[0], 1))


def _version_1(geometry: dict[str, int]) -> list[int]:
    """Return stride, padding, dilation, groups and offset groups as torchvision takes them."""
    names = ("dH", "dW", "padH", "padW", "dilationH", "dilationW", "group", "deformable_group")
    return [geometry[name] for name in names]


def _version_2(geometry: dict[str, int]) -> list[int]:
    sides = [f"{name}_{side}" for name in ("stride", "pad", "dilation") for side in "hw"]
    return [geometry[name] for name in (*sides, "group", "deformable_group")]
