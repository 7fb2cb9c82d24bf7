"""Gives mmcv its operators without compiling them, from torchvision's wheel.

mmcv looks up its operators in the compiled module `mmcv._ext`. Without it, `provide_ops` puts a
module of the same functions in its place. Operators that torchvision lacks raise an error that
names the command which compiles mmcv's own.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from pseudolabel.models import deform_conv, operators

_EXTENSION = "mmcv._ext"

OPERATORS: dict[str, Callable[..., Any]] = {
    operator.__name__: operator
    for operator in (
        operators.nms,
        operators.softnms,
        operators.sigmoid_focal_loss_forward,
        operators.sigmoid_focal_loss_backward,
        operators.roi_align_forward,
        operators.roi_align_backward,
        operators.ms_deform_attn_forward,
        operators.ms_deform_attn_backward,
        deform_conv.deform_conv_forward,
        deform_conv.deform_conv_backward_input,
        deform_conv.deform_conv_backward_parameters,
        deform_conv.modulated_deform_conv_forward,
        deform_conv.modulated_deform_conv_backward,
    )
}
"""The operators that torchvision gives, by mmcv's name."""


def provide_ops() -> None:
    """Put the operators in the place of mmcv's compiled ones, unless these are installed."""
    if _EXTENSION not in sys.modules and not compiled():
        module = _Operators(_EXTENSION)
        # importlib.util.find_spec refuses a loaded module without one.
        module.__spec__ = ModuleSpec(_EXTENSION, None)
        sys.modules[_EXTENSION] = module


def compiled() -> bool:
    """Return whether mmcv is installed with its compiled module."""
    spec = importlib.util.find_spec("mmcv")
    folders = spec.submodule_search_locations if spec is not None else None
    return any(True for folder in folders or [] for _ in Path(folder).glob("_ext.*"))


class _Operators(ModuleType):
    """The module `mmcv._ext`: every operator is there, those that are missing raise if called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # Python asks modules for such names to find out what they are.
        if name.startswith("__"):
            raise AttributeError(name)
        operator: Callable[..., Any] = OPERATORS.get(name) or operators.missing_operator(name)
        return operator
