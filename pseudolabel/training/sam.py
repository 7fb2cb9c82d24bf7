"""Sharpness-aware minimisation, SAM (Foret et al. 2021).

Each step takes the gradient at the worst point near the weights: the point with the highest loss.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_optimizer
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS, OPTIM_WRAPPERS, OPTIMIZERS
from mmengine.runner import IterBasedTrainLoop
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@OPTIMIZERS.register_module()
class SAM(pytorch_optimizer.SAM):
    """SAM around a base optimizer, which is given by its name.

    Args:
        params: the parameters to optimize.
        base: the name of the optimizer that takes the steps.
        rho: the distance of the worst point from the weights, in the norm of all weights.
        adaptive: whether the distance is in proportion to each weight (Kwon et al. 2021).
        others: arguments of the base optimizer.

    Raises:
        KeyError: there is no optimizer of that name.
    """

    def __init__(
        self, params: Any, base: str, rho: float = 0.05, adaptive: bool = False, **others: Any
    ) -> None:
        base_class = OPTIMIZERS.module_dict.get(base)
        if base_class is None:
            raise KeyError(f"SAM's base: expected the name of an optimizer, found {base!r}")
        super().__init__(params, base_class, rho, adaptive, **others)

    def climb(self) -> None:
        """Move from the weights to the worst point nearby, along their gradient."""
        self.first_step(zero_grad=True)

    def step(self, closure: Any = None) -> None:  # noqa: ARG002 - torch's signature
        """Move back to the weights, and take a step with the gradient at the worst point."""
        self.second_step()


@OPTIM_WRAPPERS.register_module()
class SharpnessAwareWrapper(OptimWrapper):  # type: ignore[misc]
    """Climbs or takes a step; only the gradient of the step is clipped."""

    climbing = False

    def step(self, **kwargs: Any) -> None:
        """Climb to the worst point, or move back and take the step."""
        if self.climbing:
            self.optimizer.climb()
        else:
            super().step(**kwargs)


@LOOPS.register_module()
class SharpnessAwareLoop(IterBasedTrainLoop):  # type: ignore[misc]
    """Shows the model each batch twice, with the same random numbers both times.

    The hooks before a step seed it, so they run before both passes.
    """

    def run_iter(self, data_batch: Sequence[dict[str, Any]]) -> None:
        """Climb with a copy of the batch, then train on the batch as usual."""
        wrapper, model = self.runner.optim_wrapper, self.runner.model
        self.runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=data_batch)
        wrapper.climbing = True
        model.train_step(copy.deepcopy(data_batch), optim_wrapper=wrapper)
        wrapper.climbing = False
        with _frozen_batch_norm(model):
            super().run_iter(data_batch)


@contextmanager
def _frozen_batch_norm(model: nn.Module) -> Iterator[None]:
    """Keep the statistics of batch norms unchanged: the first pass has counted the batch."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
