"""Optimizers by their names, and how the learning rate rises and falls."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.optim import OneCycleLR
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS

from pseudolabel.errors import ModelError
from pseudolabel.params.sections import Params

SAM = "SAM"
RISE_FROM = 0.01
"""Share of the learning rate that it rises from."""


@PARAM_SCHEDULERS.register_module()
class OneCycle(OneCycleLR):  # type: ignore[misc]
    """mmengine's schedule of one cycle, its state without a function: checkpoints are data."""

    def state_dict(self) -> dict[str, Any]:
        """Return all but the function, which a new one has as well."""
        return {key: it for key, it in super().state_dict().items() if key != "anneal_func"}


def optimizer_wrapper(params: Params) -> dict[str, Any]:
    """Return the optimizer by its name, with gradient clipping, and mixed precision on a GPU.

    Raises:
        ModelError: there is no optimizer of that name.
    """
    section = params.train
    name = section.optimizer["type"]
    bring_in(name)
    if OPTIMIZERS.get(name) is None:
        raise ModelError(f"train.optimizer: expected the name of an optimizer, found {name!r}")
    mixed = section.mixed_precision and torch.cuda.is_available()
    kind = "AmpOptimWrapper" if mixed else "OptimWrapper"
    wrapper: dict[str, Any] = {
        # A scaled gradient is of no use for climbing: SAM computes in float32.
        "type": "SharpnessAwareWrapper" if name == SAM else kind,
        "optimizer": {**section.optimizer, "lr": section.learning_rate},
    }
    if "weight_decay" in section.optimizer:
        wrapper["paramwise_cfg"] = {"norm_decay_mult": 0, "bias_decay_mult": 0}
        wrapper["paramwise_cfg"]["bypass_duplicate"] = True
    if section.gradient_clip is not None:
        wrapper["clip_grad"] = {"max_norm": section.gradient_clip}
    return wrapper


def bring_in(name: str) -> None:
    """Register an optimizer that torch has not; importing these takes two seconds."""
    if name == SAM:
        import pseudolabel.engines.sharpness  # noqa: F401, PLC0415
    elif name == "AdamP":
        from pytorch_optimizer import AdamP  # noqa: PLC0415

        OPTIMIZERS.register_module(module=AdamP, force=True)


def train_loop(params: Params) -> dict[str, Any]:
    """Return the loop over iterations; SAM takes each batch twice."""
    section = params.train
    return {
        "type": "SharpnessAwareLoop" if section.optimizer["type"] == SAM else "IterBasedTrainLoop",
        "max_iters": section.iterations,
        "val_interval": section.iterations + 1,
    }


def schedule(params: Params) -> list[dict[str, Any]]:
    """Return a linear warm-up and the fall after it, to a share of the learning rate.

    One cycle (Smith and Topin 2019) rises and falls by cosines.
    """
    section = params.train
    warmup, end, last = section.warmup_iterations, section.iterations, section.final_learning_rate
    if section.schedule == "one_cycle":
        return [
            {
                "type": OneCycle.__name__,
                "eta_max": section.learning_rate,
                "total_steps": end,
                # mmengine counts the step at the top among those of the rise.
                "pct_start": (warmup + 1) / end,
                "div_factor": 1 / RISE_FROM,
                "final_div_factor": RISE_FROM / max(last, 1e-9),
                "by_epoch": False,
            }
        ]
    span = {"begin": warmup, "end": end, "by_epoch": False}
    falls: dict[str, dict[str, Any]] = {
        "cosine": {"type": "CosineAnnealingLR", "T_max": end - warmup, "eta_min_ratio": last},
        "polynomial": {
            "type": "PolyLR",
            "power": section.polynomial_power,
            "eta_min": last * section.learning_rate,
        },
        "linear": {"type": "LinearLR", "start_factor": 1.0, "end_factor": last},
    }
    rise = {"type": "LinearLR", "start_factor": RISE_FROM, "end": warmup, "by_epoch": False}
    fall = falls[section.schedule] | span
    return [rise, fall] if warmup else [fall]
