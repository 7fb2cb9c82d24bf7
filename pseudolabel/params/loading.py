"""Read params.yaml and check it; all faults are reported together."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pseudolabel.core.errors import ParamsError, counted, short_repr
from pseudolabel.core.nested_values import (
    MOST_YAML_BYTES,
    describe_excess,
    has_many_open_brackets,
)
from pseudolabel.params.common import Params
from pseudolabel.params.faults import MOST_FAULTS, find_faults, printable
from pseudolabel.params.keys import PARAMS_BY_TASK, closest_task

__all__ = ["PARAMS_BY_TASK", "load_params", "read_yaml", "validate", "with_values"]

PARAMS = Path("params.yaml")
"""The parameters of a project, relative to it."""
_KEPT_FOR_ANOTHER_TASK = ("data", "prepare", "seed")
"""Sections of params.yaml that fit every task."""
_KINDS = {list: "list", str: "text", int: "number", float: "number"}


def load_params(path: Path = PARAMS, task: str | None = None) -> Params:
    """Return the validated params.yaml.

    Args:
        path: the file.
        task: the task to use instead of the file's. If it is another one, the values of the file
            do not fit: they come from presets/<task>.yaml beside the file, except for `data`,
            `prepare` and `seed`.

    Raises:
        ParamsError: a file is missing, is not YAML, or has faults; the message lists all of them.
    """
    values = read_yaml(path)
    if task is not None and task != values.get("task"):
        preset = path.parent / "presets" / f"{task}.yaml"
        own = read_yaml(preset)
        kept = {name: values[name] for name in _KEPT_FOR_ANOTHER_TASK if name in values}
        known = own.get("prepare")
        if isinstance(kept.get("prepare"), dict) and isinstance(known, dict):
            # `prepare.partial` is for objects alone.
            kept["prepare"] = known | {k: v for k, v in kept["prepare"].items() if k != "partial"}
        values = own | kept
    return validate(values, str(path))


def validate(values: Mapping[Any, Any], source: str) -> Params:
    """Return the parameters that the values of a file make.

    Args:
        values: the content of the file.
        source: the file, for messages.

    Raises:
        ParamsError: the values have faults; the message lists all of them.
    """
    task = values.get("task")
    known = isinstance(task, str) and task in PARAMS_BY_TASK
    closest = closest_task(values, task if known else None)
    if not known:
        faults = find_faults(values, str(closest))
    elif _is_of_an_earlier_version(values):
        raise ParamsError(
            f"{source}: the value `default` is of an earlier version: "
            f"run `python -m pseudolabel use {task}`"
        )
    elif closest is not None:
        raise ParamsError(
            f"{source}: task is {task}, but the other values are those of {closest}: "
            f"run `python -m pseudolabel use {task}`"
        )
    else:
        faults = find_faults(values, str(task))
    _raise(faults, source)
    return PARAMS_BY_TASK[str(task)].model_validate(values)


def with_values(params: Params, options: Mapping[str, Any]) -> Params:
    """Return parameters with some of them changed, by dotted names such as `train.learning_rate`.

    Raises:
        ParamsError: a name is unknown, or values have faults; the message lists all of them.
    """
    values = params.model_dump()
    for name, value in options.items():
        *path, last = name.split(".")
        section: Any = values
        for key in path:
            section = section.get(key) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise ParamsError(f"{name}: expected the name of a parameter, found an unknown one")
        section[last] = value
    _raise(find_faults(values, params.task), "parameters")
    return type(params).model_validate(values)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, as DVC reads it (YAML 1.2).

    Raises:
        ParamsError: the file is missing, or has something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ParamsError(f"{path}: expected a readable file, found {error.strerror}") from error
    if len(content) > MOST_YAML_BYTES:
        raise ParamsError(
            f"{path}: expected at most {MOST_YAML_BYTES:,} bytes, found {len(content):,}"
        )
    text = _decode(content, path)
    if has_many_open_brackets(text):
        raise ParamsError(f"{path}: not valid YAML: too many levels")
    try:
        values = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ParamsError(
            f"{path}: {line}not valid YAML: {printable(str(error.problem))}"
        ) from error
    except (YAMLError, ValueError) as error:
        raise ParamsError(f"{path}: not valid YAML: {short_repr(str(error))}") from error
    except RecursionError as error:
        raise ParamsError(f"{path}: not valid YAML: too many levels") from error
    if not isinstance(values, dict):
        found = "nothing" if values is None else f"a {_KINDS.get(type(values), 'value')}"
        raise ParamsError(f"{path}: expected sections, found {found}")
    excess = describe_excess(values)
    if excess is not None:
        raise ParamsError(f"{path}: expected {excess}, found more")
    return values


def _decode(content: bytes, path: Path) -> str:
    """Return the text of a file; raise if it is not in UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:2]:
        raise ParamsError(f"{path}: expected a text in UTF-8, found UTF-16 or no text")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ParamsError(
            f"{path}: line {line}: expected a text in UTF-8, found another encoding, such as "
            "Latin-1, or no text"
        ) from error


def _is_of_an_earlier_version(values: Mapping[Any, Any]) -> bool:
    sections = [section for section in values.values() if isinstance(section, Mapping)]
    return sum(value == "default" for section in sections for value in section.values()) > 3


def _raise(faults: list[str], source: str) -> None:
    if faults:
        count = counted(len(faults), "fault")
        count += " or more" * (len(faults) >= MOST_FAULTS)
        raise ParamsError("\n".join([f"{source} has {count}:", *(f"  {line}" for line in faults)]))
