"""The names of all parameters: which task has which, and which one a misspelt name means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic.fields import FieldInfo

from pseudolabel.params.by_task import (
    ClassificationParams,
    InstanceParams,
    ObjectParams,
    SemanticParams,
)
from pseudolabel.params.common import Params
from pseudolabel.params.types import Section, section_of

PARAMS_BY_TASK: dict[str, type[Params]] = {
    "detection": ObjectParams,
    "instance": InstanceParams,
    "semantic": SemanticParams,
    "classification": ClassificationParams,
}
_RENAMED = {"filter.min_sure": "filter.min_confident_share"}
"""Parameters of earlier versions, and their names today."""


def fields_of(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted name and the field of every parameter, those of inner sections included."""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is None:
            yield prefix + name, field
        else:
            yield from fields_of(inner, f"{prefix}{name}.")


@cache
def keys_of(task: str) -> frozenset[str]:
    """Return the dotted names of all parameters that a task has."""
    return frozenset(name for name, _ in fields_of(PARAMS_BY_TASK[task]))


def keys_in(values: Mapping[Any, Any], section: type[Section], prefix: str = "") -> set[str]:
    """Return the dotted names in a file; a section is opened where the schema has one."""
    names: set[str] = set()
    for key, value in values.items():
        field = section.model_fields.get(key) if isinstance(key, str) else None
        inner = section_of(field.annotation) if field else None
        if inner is not None and isinstance(value, Mapping):
            names |= keys_in(value, inner, f"{prefix}{key}.")
        else:
            names.add(f"{prefix}{key}")
    return names


def closest_task(values: Mapping[Any, Any], task: str | None) -> str | None:
    """Return the task that the keys of a file belong to, if it is another one than `task`.

    The distance to a task is the number of keys that the file lacks, or has in excess. Another
    task counts only if it is at least three times closer, so that a few misspelt or missing keys
    are reported by name. Without a task, it is the closest one.
    """
    names = keys_in(values, PARAMS_BY_TASK["instance"])
    distances = {other: len(names ^ keys_of(other)) for other in PARAMS_BY_TASK}
    closest = min(distances, key=lambda other: distances[other])
    if task is None:
        return closest
    is_closer = 3 * distances[closest] <= distances[task] and distances[task] > 0
    return closest if is_closer else None


def suggest(name: str, task: str) -> str:
    """Return what to do about an unknown parameter, as the rest of a sentence; "" if unclear."""
    if name in _RENAMED:
        return f"; it is called {_RENAMED[name]} now"
    owners = [other for other in PARAMS_BY_TASK if name in keys_of(other)]
    if owners:
        return f" of {task}; only {' and '.join(owners)} can have it"
    known = sorted(keys_of(task) | {key.rpartition(".")[0] for key in keys_of(task)} - {""})
    section, _, last = name.rpartition(".")
    siblings = [key for key in known if key.rpartition(".")[0] == section]
    by_last = {key.rpartition(".")[2]: key for key in siblings}
    moved = [key for key in known if key.rpartition(".")[2] == last]
    close = [by_last[key] for key in get_close_matches(last, by_last, 1)]
    closest = [*close, *moved, *get_close_matches(name, known, 1)]
    return f"; did you mean {closest[0]}?" if closest else ""
