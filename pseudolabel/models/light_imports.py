"""Keeps out two large packages that mmdet and torchvision import and that no task here uses.

Each takes seconds to import, in every stage: imgaug, which mmdet needs for lane detection alone,
and torch's compiler, which torchvision asks a question that arises with deterministic GPUs alone.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_LANES = ("imgaug", "imgaug.augmenters", "imgaug.augmentables.lines", "imgaug.augmentables.segmaps")
_COMPILER = ("torch._dynamo", "torch._dynamo.utils")


class _Unused(ModuleType):
    """A module in the place of one that is not imported; its names raise if they are called."""

    def __getattr__(self, name: str) -> Any:
        # Python asks modules for such names to find out what they are.
        if name.startswith("__"):
            raise AttributeError(name)

        def unused(*_args: Any, **_options: Any) -> None:
            raise ImportError(f"{self.__name__}.{name} belongs to lane detection, not a task here")

        return unused


def leave_out_lanes() -> None:
    """Put a module without content in the place of imgaug, unless imgaug is imported already."""
    if "imgaug" not in sys.modules:
        modules = {name: _Unused(name) for name in _LANES}
        modules["imgaug"].augmenters = modules["imgaug.augmenters"]  # type: ignore[attr-defined]
        sys.modules.update(modules)


def import_torchvision() -> None:
    """Import torchvision's operators without torch's compiler, which is imported once it is asked.

    An optimizer imports the compiler too: training waits for it later, labelling never does.
    """
    if "torchvision.ops" in sys.modules or _COMPILER[0] in sys.modules:
        return
    modules = {name: ModuleType(name) for name in _COMPILER}
    modules[_COMPILER[1]].is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    sys.modules.update(modules)
    try:
        importlib.import_module("torchvision.ops")
    finally:
        for name in _COMPILER:
            del sys.modules[name]


def _is_compile_supported(device_type: str) -> bool:
    utils = importlib.import_module(_COMPILER[1])
    return bool(utils.is_compile_supported(device_type))
