"""Names in configs: only what the registries of mmengine and of the three mm packages have.

mmengine imports any dotted path that it finds as a name. Here, a name is looked up in the
registries and nowhere else, and everything is checked before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from mmengine.registry import MODELS, TASK_UTILS, WEIGHT_INITIALIZERS, Registry

import pseudolabel.models.efficientnet_lite  # noqa: F401 - registers its backbone
from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.models import PACKAGES
from pseudolabel.models.quiet_imports import quiet_imports

_SCOPES = frozenset({"mmengine", *PACKAGES.values()})
_OPERATORS = {
    "nms": {"nms", "soft_nms"},
    "dqs_cfg": {"nms", "soft_nms"},
    "adapt_cfg": {"dilation", "offset"},
    "roi_layer": {"RoIAlign", "RoIPool"},
    "same_up_trans": {"conv"},
    "across_lateral_trans": {"conv"},
    "across_down_trans": {"conv", "interpolation_conv"},
    "across_up_trans": {"conv", "interpolation_conv"},
    "across_skip_trans": {"conv"},
    "output_trans": {"last_conv"},
}
"""Names that are in no registry, by the key of their dict: operators, and parts of some heads."""
_PLAIN_TEXT = re.compile(r"[\w.+\-?\[\] ]*|\d+/\d+")
_FILE_NAME = re.compile(r"\.(py|pth?|pkl|pickle|bin|ckpt|json|ya?ml|onnx|so)$", re.IGNORECASE)
_MOST_LEVELS = 60
_A_NAME = "a name in the registries of mmengine and the mm packages"


def find_registered(registry: Registry, name: object, scope: str) -> Any:
    """Return what a registry has under a name; None if it has nothing.

    Args:
        registry: the registry of mmengine; those of the packages are below it.
        name: the name, such as `ResNet` or `mmdet.ResNet`.
        scope: the package whose names need no prefix.
    """
    if not isinstance(name, str):
        return None
    prefix, _, own_name = name.rpartition(".")
    scopes = [prefix] if prefix else [scope, "mmengine"]
    for one in scopes:
        node = _node(registry, one) if one in _SCOPES else None
        if node is not None and own_name in node.module_dict:
            return node.module_dict[own_name]
    return None


def _node(registry: Registry, scope: str) -> Registry | None:
    """Return the registry of a package, with its modules and ours for it imported."""
    with quiet_imports():
        import_module(f"{scope}.registry")
        node = registry if scope == registry.scope else registry.children.get(scope)
        if node is not None:
            node.import_from_location()
        if scope == "mmdet":
            import_module("pseudolabel.models.full_mask_head")
    return node


def find_model_faults(model: object, file: str, scope: str) -> list[Fault]:
    """Return the faults of a model config, by their key paths; nothing of it is built.

    Every `type` must be registered as a part of models. Texts must be plain words: some packages
    run a text as Python, and others open it as a file.

    Args:
        model: the config.
        file: its file, for messages.
        scope: the package whose names need no prefix.
    """
    registries = [MODELS, TASK_UTILS, WEIGHT_INITIALIZERS]
    if scope == "mmpretrain":
        registries.append(import_module("mmpretrain.registry").BATCH_AUGMENTS)
    return list(_Walk(file, registries).faults(model, ("model",), scope))


def find_name_faults(
    value: object, file: str, path: Sequence[str], registry: Registry, scope: str
) -> list[Fault]:
    """Return the faults of a parameter with a `type`: an optimizer or an augmentation.

    Args:
        value: the parameter.
        file: its file, for messages.
        path: the keys that lead to it.
        registry: the registry of its names.
        scope: the package whose names need no prefix.
    """
    return list(_Walk(file, [registry]).faults(value, tuple(path), scope))


class _Walk:
    """Walks through a config.

    Args:
        file: the file, for messages.
        registries: what every `type` is looked up in.
    """

    def __init__(self, file: str, registries: Sequence[Registry]) -> None:
        self.file = file
        self.registries = registries

    def faults(self, value: object, path: tuple[str, ...], scope: str) -> Iterator[Fault]:
        """Yield the faults of a value and of everything in it."""
        if len(path) > _MOST_LEVELS:
            yield self._fault(path[:3], f"at most {_MOST_LEVELS} levels", "more")
        elif isinstance(value, dict):
            yield from self._dict_faults(value, path, scope)
        elif isinstance(value, list | tuple):
            for index, inner in enumerate(value):
                yield from self.faults(inner, (*path, str(index)), scope)
        elif isinstance(value, str):
            if not _PLAIN_TEXT.fullmatch(value) or _FILE_NAME.search(value):
                yield self._fault(path, "a plain word, not a path or code", short_repr(value))
        elif not isinstance(value, bool | int | float | None):
            yield self._fault(path, "a plain value", type(value).__name__)

    def _dict_faults(
        self, value: dict[Any, Any], path: tuple[str, ...], scope: str
    ) -> Iterator[Fault]:
        own_scope = value.get("_scope_", scope)
        if own_scope not in _SCOPES:
            found = short_repr(own_scope)
            yield self._fault((*path, "_scope_"), "a package: " + ", ".join(sorted(_SCOPES)), found)
            return
        for key, inner in value.items():
            if not isinstance(key, str) or key.startswith("_") or key == "custom_imports":
                if key != "_scope_":
                    yield self._fault(path, "plain keys", f"the key {short_repr(key)}")
            elif key == "type":
                if not self._is_known(inner, path, own_scope):
                    yield self._fault((*path, key), _A_NAME, short_repr(inner))
            else:
                yield from self.faults(inner, (*path, key), own_scope)

    def _is_known(self, name: object, path: tuple[str, ...], scope: str) -> bool:
        place = next((part for part in reversed(path) if not part.isdecimal()), "")
        if isinstance(name, str) and name in _OPERATORS.get(place, ()):
            return True
        return any(
            find_registered(registry, name, scope) is not None for registry in self.registries
        )

    def _fault(self, path: Sequence[str], expected: str, found: str) -> Fault:
        return Fault(self.file, ".".join(path), expected, found)
