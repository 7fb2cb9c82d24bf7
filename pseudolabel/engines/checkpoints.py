"""Weights, loaded without ever running code that a checkpoint could carry."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import get_torch_safe_globals

from pseudolabel.errors import ModelError
from pseudolabel.files import written_aside

State = dict[str, torch.Tensor]


def load_checkpoint(source: str | Path) -> dict[str, Any]:
    """Return a checkpoint from a path or a URL, on the CPU.

    Raises:
        ModelError: it is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        with torch.serialization.safe_globals(get_torch_safe_globals()):
            if str(source).startswith(("http://", "https://")):
                loaded = torch.hub.load_state_dict_from_url(
                    str(source), map_location="cpu", weights_only=True
                )
            else:
                loaded = torch.load(source, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = next(iter(str(error).splitlines()), "nothing in it")
        raise ModelError(f"{source}: expected a checkpoint of weights, found {reason}") from error
    if not isinstance(loaded, dict):
        raise ModelError(f"{source}: expected a dict of weights, found {type(loaded).__name__}")
    return loaded


def load_weights(source: str | Path) -> State:
    """Return the weights of a checkpoint by name, whether they lie under `state_dict` or bare."""
    checkpoint = load_checkpoint(source)
    state = checkpoint.get("state_dict", checkpoint)
    return {name.removeprefix("module."): value for name, value in state.items()}


def save_weights(path: Path, state: State) -> None:
    """Save weights, sorted by name, aside and then renamed."""
    ordered = {name: state[name].cpu() for name in sorted(state)}
    with written_aside(path) as aside:
        torch.save({"state_dict": ordered}, aside)


def fitting_weights(weights: State, model: torch.nn.Module, prefix: str = "") -> State:
    """Return the weights, under `prefix`, whose name and shape the model has.

    Raises:
        ModelError: not one of them fits.
    """
    own = model.state_dict()
    named = {name if name.startswith(prefix) else prefix + name: weights[name] for name in weights}
    fitting = {
        name: value
        for name, value in named.items()
        if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise ModelError("pretrained weights: expected some that fit the model, found none")
    return fitting
