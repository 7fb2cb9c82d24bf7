"""The optimizer by its name, and the schedule of the learning rate."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.optim import OneCycleLR
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS

from pseudolabel.core.errors import ModelError
from pseudolabel.params.common import Params

_SAM = "SAM"
_WARMUP_START = 0.01
"""The share of the learning rate that the warm-up starts from."""


@PARAM_SCHEDULERS.register_module()
class OneCycle(OneCycleLR):  # type: ignore[misc]
    """mmengine's one-cycle schedule, with a state that has no function in it.

    Checkpoints are loaded with weights_only, so that they can contain plain values only.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the state without the function, which a new schedule sets by itself."""
        state = super().state_dict()
        return {key: value for key, value in state.items() if key != "anneal_func"}


def optimizer_wrapper(params: Params) -> dict[str, Any]:
    """Return the config of the optimizer, with gradient clipping, and mixed precision on a GPU.

    Raises:
        ModelError: there is no optimizer of that name.
    """
    section = params.train
    name = section.optimizer["type"]
    _register_optimizer(name)
    # Only plain names: mmengine would import a dotted path.
    if name not in OPTIMIZERS.module_dict:
        raise ModelError(f"train.optimizer: expected the name of an optimizer, found {name!r}")
    hidden = [key for key in section.optimizer if key.startswith("_")]
    if hidden:
        raise ModelError(f"train.optimizer: expected arguments, found the key {hidden[0]!r}")
    mixed = section.mixed_precision and torch.cuda.is_available()
    plain = "AmpOptimWrapper" if mixed else "OptimWrapper"
    wrapper: dict[str, Any] = {
        # SAM always computes in float32: its first step must not use a scaled gradient.
        "type": "SharpnessAwareWrapper" if name == _SAM else plain,
        "optimizer": {**section.optimizer, "lr": section.learning_rate},
    }
    by_part: dict[str, Any] = {}
    if "weight_decay" in section.optimizer:
        by_part = {"norm_decay_mult": 0, "bias_decay_mult": 0}
    if section.backbone_learning_rate != 1:
        by_part["custom_keys"] = {"backbone": {"lr_mult": section.backbone_learning_rate}}
    if by_part:
        wrapper["paramwise_cfg"] = {**by_part, "bypass_duplicate": True}
    if section.gradient_clip is not None:
        wrapper["clip_grad"] = {"max_norm": section.gradient_clip}
    return wrapper


def train_loop(params: Params) -> dict[str, Any]:
    """Return the config of the training loop; SAM's loop uses each batch twice."""
    section = params.train
    return {
        "type": "SharpnessAwareLoop" if section.optimizer["type"] == _SAM else "IterBasedTrainLoop",
        "max_iters": section.iterations,
        "val_interval": section.iterations + 1,
    }


def learning_rate_schedule(params: Params) -> list[dict[str, Any]]:
    """Return the configs of the learning rate's schedule: a warm-up, then a fall.

    The rate falls to `train.final_learning_rate`, a share of the highest one. `one_cycle` (Smith
    and Topin 2019) rises and falls by cosines.
    """
    section = params.train
    warmup, end, last = section.warmup_iterations, section.iterations, section.final_learning_rate
    if section.schedule == "one_cycle":
        return [
            {
                "type": OneCycle.__name__,
                "eta_max": section.learning_rate,
                "total_steps": end,
                # mmengine counts the step with the highest rate as part of the rise.
                "pct_start": (warmup + 1) / end,
                "div_factor": 1 / _WARMUP_START,
                "final_div_factor": _WARMUP_START / max(last, 1e-9),
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
    rise = {"type": "LinearLR", "start_factor": _WARMUP_START, "end": warmup, "by_epoch": False}
    fall = falls[section.schedule] | span
    return [rise, fall] if warmup else [fall]


def _register_optimizer(name: str) -> None:
    """Register an optimizer that is not in torch; the import takes two seconds."""
    if name == _SAM:
        import pseudolabel.training.sam  # noqa: F401, PLC0415 - importing it registers SAM
    elif name == "AdamP":
        from pytorch_optimizer import AdamP  # noqa: PLC0415 - only those who use it wait for it

        OPTIMIZERS.register_module(module=AdamP, force=True)
