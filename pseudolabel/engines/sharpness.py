"""SAM (Foret et al. 2021): each step takes the gradient at the worst point near the weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytorch_optimizer
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS, OPTIM_WRAPPERS, OPTIMIZERS
from mmengine.runner import IterBasedTrainLoop
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@OPTIMIZERS.register_module()
class SAM(pytorch_optimizer.SAM):
    """SAM around another optimizer, by its name.

    Args:
        params: what is to be optimized.
        base: the name of the optimizer that takes the steps.
        rho: how far to look for the worst point, in the norm of all weights.
        adaptive: whether that is measured in proportion to each weight (Kwon et al. 2021).
        others: arguments of the base optimizer.

    Raises:
        KeyError: there is no optimizer of that name.
    """

    def __init__(
        self, params: Any, base: str, rho: float = 0.05, adaptive: bool = False, **others: Any
    ) -> None:
        kind = OPTIMIZERS.get(base)
        if kind is None:
            raise KeyError(f"SAM's base: expected the name of an optimizer, found {base!r}")
        super().__init__(params, kind, rho, adaptive, **others)

    def climb(self) -> None:
        """Go from the weights to the worst point nearby, by their gradient."""
        self.first_step(zero_grad=True)

    def step(self, closure: Any = None) -> None:  # noqa: ARG002 - torch's signature
        """Go back to the weights, and take a step by the gradient at the worst point."""
        self.second_step()


@OPTIM_WRAPPERS.register_module()
class SharpnessAwareWrapper(OptimWrapper):  # type: ignore[misc]
    """Climbs or steps; only the step's gradient is clipped."""

    climbing = False

    def step(self, **kwargs: Any) -> None:
        """Climb to the worst point, or go back and take the step."""
        if self.climbing:
            self.optimizer.climb()
        else:
            super().step(**kwargs)


@LOOPS.register_module()
class SharpnessAwareLoop(IterBasedTrainLoop):  # type: ignore[misc]
    """Shows the model each batch twice: what is drawn at random is the same both times."""

    def run_iter(self, data_batch: Sequence[dict[str, Any]]) -> None:
        """Climb by a copy of the batch, then train on it as usual."""
        wrapper, model = self.runner.optim_wrapper, self.runner.model
        with same_random_numbers():
            wrapper.climbing = True
            model.train_step(copy.deepcopy(data_batch), optim_wrapper=wrapper)
            wrapper.climbing = False
        with still_statistics(model):
            super().run_iter(data_batch)


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Give back the random numbers that are drawn inside: they are drawn once more after it."""
    drawn = np.random.get_state()  # noqa: NPY002 - what mixup draws from
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        yield
    np.random.set_state(drawn)  # noqa: NPY002


@contextmanager
def still_statistics(model: nn.Module) -> Iterator[None]:
    """Keep batch norms from counting a batch: it was counted already, at the weights."""
    norms = [it for it in model.modules() if isinstance(it, _BatchNorm)]
    before = [it.momentum for it in norms]
    for norm in norms:
        norm.momentum = 0.0
    yield
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
