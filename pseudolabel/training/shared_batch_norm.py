"""Batch normalisation over the images of all processes, as if one process had them all."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.distributed import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class _Total(torch.autograd.Function):  # type: ignore[misc]
    """The sum of a tensor over all processes, through which gradients flow back to each."""

    @staticmethod
    def forward(_: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        all_reduce(total)
        return total


class _SharedBatchNorm(_BatchNorm):  # type: ignore[misc]
    """Does on a CPU what torch's SyncBatchNorm does on GPUs alone."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return normalised values; a training updates the running statistics."""
        if not self.training:
            return super().forward(values)
        axes = [0, *range(2, values.dim())]
        own = values.numel() / values.shape[1]
        # Processes can have different numbers of values, such as those of proposed objects.
        total = _Total.apply(torch.cat([values.sum(axes), values.new_tensor([own])]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = values - _per_channel(mean, values)
        variance = _Total.apply(centred.square().sum(axes)) / count
        self._update(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        result = centred * _per_channel((variance + self.eps).rsqrt(), values)
        if self.affine:
            result = result * _per_channel(self.weight, values) + _per_channel(self.bias, values)
        return result

    def _check_input_dim(self, values: torch.Tensor) -> None:
        """Take values of any dimension, as torch's SyncBatchNorm does."""

    def _update(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def share_batch_norms(model: nn.Module) -> nn.Module:
    """Return a model whose batch norms count the images of all processes; names stay the same."""
    if torch.cuda.is_available():
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            # The weights and statistics stay; only the computation is another one.
            module.__class__ = _SharedBatchNorm
    return model


def _per_channel(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return one value per channel in a shape that fits images or rows."""
    return values.view(1, -1, *[1] * (like.dim() - 2))
