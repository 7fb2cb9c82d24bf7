"""Stops a training whose loss is not a number any more or explodes, with what is known of why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from pseudolabel.core.errors import ModelError

_EXPLODED, _LARGEST_FIRST = 1e6, 1e3
"""A loss has exploded above so many times the first loss; a larger first loss counts as this."""


def check_loss(
    loss: float, first: float, runner: Runner, outputs: dict[str, Any], batch: Any
) -> None:
    """Raise if a loss is not finite, or has exploded.

    Args:
        loss: the loss of an iteration, on the CPU.
        first: the first loss of the training.
        runner: the runner of the training.
        outputs: the losses of the iteration, by name.
        batch: the batch of images.

    Raises:
        ModelError: with the iteration, the losses that are not finite, and the likely reasons.
    """
    limit = _EXPLODED * min(max(1.0, abs(first)), _LARGEST_FIRST)
    if math.isfinite(loss) and abs(loss) <= limit:
        return
    terms = [name for name, value in outputs.items() if name != "loss" and not _is_finite(value)]
    found = f"{loss:g}" + (f" (not finite: {', '.join(terms)})" if terms else "")
    reasons = [*_batch_reasons(batch), *_setting_reasons(runner)]
    expected = f"a loss that falls from {first:.3g}" if math.isfinite(first) else "a finite loss"
    raise ModelError(
        f"train: iteration {runner.iter + 1}: expected {expected}, found {found}. "
        f"Likely reasons: {'; '.join(reasons)}"
    )


def check_in_all_processes(device: torch.device, check: Callable[[], None]) -> None:
    """Run a check in each process of a training; if one fails, all stop with its message.

    A process that stopped alone would leave the others in the middle of a step.

    Args:
        device: the device of the training.
        check: raises a ModelError if this process must stop.

    Raises:
        ModelError: the check has failed in any process.
    """
    text = ""
    try:
        check()
    except ModelError as error:
        text = str(error)
    failed = torch.tensor(float(bool(text)), device=device)
    all_reduce(failed, "max")
    if failed:
        raise ModelError(next(filter(None, all_gather_object(text))))


def _is_finite(value: Any) -> bool:
    tensor = torch.as_tensor(value, dtype=torch.float32)
    return bool(torch.isfinite(tensor).all())


def _batch_reasons(batch: Any) -> list[str]:
    """Return what is wrong with a batch: boxes without area, pixels that are no numbers."""
    samples = batch.get("data_samples", []) if isinstance(batch, dict) else []
    reasons = []
    for sample in samples:
        boxes = getattr(getattr(sample, "gt_instances", None), "bboxes", None)
        boxes = getattr(boxes, "tensor", boxes)
        if boxes is not None and len(boxes) and not bool((boxes[:, 2:] > boxes[:, :2]).all()):
            reasons.append(f"a box without area in {getattr(sample, 'img_path', 'an image')}")
    return reasons


def _setting_reasons(runner: Runner) -> list[str]:
    """Return the settings that may be the reason."""
    rate = runner.optim_wrapper.get_lr()["lr"][0]
    reasons = [f"train.learning_rate is too high (it is {rate:.3g} at this step)"]
    if not runner.optim_wrapper.clip_grad_kwargs:
        reasons.append("train.gradient_clip is not set")
    if isinstance(runner.optim_wrapper, AmpOptimWrapper):
        reasons.append("train.mixed_precision is on, and float16 ends at 65,504")
    return reasons
