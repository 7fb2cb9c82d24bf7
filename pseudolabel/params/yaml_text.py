"""The text of a complete params.yaml: its values, and one comment per parameter."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from pseudolabel.params.allowed import describe_field
from pseudolabel.params.keys import PARAMS_BY_TASK
from pseudolabel.params.types import Section, section_of

_WIDTH = 100
_COMMENT_COLUMN = 28


class _Dumper(yaml.SafeDumper):
    """Writes text so that YAML 1.1 and YAML 1.2, which DVC reads, take it as text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write every value in full."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if re.match(r"[A-Za-z]", text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def render(values: Mapping[str, Any], preset: str) -> str:
    """Return the text of a params.yaml.

    Args:
        values: all parameters of a task, as they stand in a file.
        preset: the name for `python -m pseudolabel use` that gives these values.
    """
    kind = PARAMS_BY_TASK[values["task"]]
    head = [
        f"# All parameters of the task {values['task']}, by `python -m pseudolabel use {preset}`.",
        "# Each comment says what the parameter does, and which values are allowed.",
        "# docs/parameters.md explains them in full.",
        "",
    ]
    return "\n".join([*head, *_section_lines(kind, values, "")]) + "\n"


def format_value(value: Any) -> str:
    """Return a value as YAML in one line."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        width=2**31,
        sort_keys=False,
        allow_unicode=True,
    )
    return text.removesuffix("\n").removesuffix("\n...")


def first_line(section: type[Section]) -> str:
    """Return what a section is about, in one line."""
    return cleandoc(section.__doc__ or "").partition("\n")[0]


def _comment_of(field: FieldInfo) -> str:
    """Return the meaning of a parameter and what it may be, in one line."""
    meaning = cleandoc(field.description or "").removesuffix(".")
    return f"{meaning} ({describe_field(field)})"


def _section_lines(section: type[Section], values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is None:
            yield from _parameter_lines(name, values[name], _comment_of(field), indent)
            continue
        if not indent:
            yield from ("", f"# {first_line(inner)}")
        yield f"{indent}{name}:"
        yield from _section_lines(inner, values[name], f"{indent}  ")


def _parameter_lines(name: str, value: Any, comment: str, indent: str) -> Iterator[str]:
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        yield from _comment_above(comment, indent)
        yield f"{indent}{name}:"
        for entry in value:
            yield from _entry_lines(entry, indent)
        return
    entry = f"{indent}{name}: {format_value(value)}"
    line = f"{entry:<{_COMMENT_COLUMN}}  # {comment}"
    yield from [line] if len(line) <= _WIDTH else [*_comment_above(comment, indent), entry]


def _entry_lines(entry: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield an entry of a list: in one line, or one per key if that is too long."""
    line = f"{indent}- {format_value(entry)}"
    if len(line) <= _WIDTH:
        yield line
        return
    starts = [f"{indent}- ", *[f"{indent}  "] * (len(entry) - 1)]
    for start, (key, value) in zip(starts, entry.items(), strict=True):
        yield f"{start}{key}: {format_value(value)}"


def _comment_above(comment: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(comment, _WIDTH, initial_indent=start, subsequent_indent=start)
