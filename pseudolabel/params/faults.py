"""Faults of parameters in the user's words: the name, what is expected, and what was found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_origin

from pydantic import ValidationError

from pseudolabel.core.errors import short_repr
from pseudolabel.core.project import LAST_ROUND
from pseudolabel.params.allowed import describe_field
from pseudolabel.params.common import Params
from pseudolabel.params.keys import PARAMS_BY_TASK, suggest
from pseudolabel.params.types import Rule, Section, section_of

MOST_FAULTS = 100
"""Faults that are described; a file with more of them is no params.yaml."""
_LONGEST = 120
"""Characters of a name or of a found value that a message shows."""
_LARGEST = 2**31 - 1
"""No number may be larger, except random seeds: the packages compute in 32 bits."""
_SEEDS = ("seed", "sample.seed")


def find_faults(values: Mapping[Any, Any], task: str) -> list[str]:
    """Return one line per fault of a task's parameters, or of the first `MOST_FAULTS` of them.

    Rules between two sections are checked if these two sections have no faults of their own.
    """
    kind = PARAMS_BY_TASK[task]
    unusable = {
        name: _describe(expected, found) for name, expected, found in _unusable_numbers(values)
    }
    try:
        kind.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)[:MOST_FAULTS]
    else:
        return [printable(f"{name}: {text}") for name, text in unusable.items()]
    lines = unusable | dict(
        line for detail in details for line in _lines_of(kind, values, detail, task)
    )
    faulty = {detail["loc"][0] for detail in details if detail["loc"]}
    for names, rule in kind.rules_between.items():
        if faulty and faulty.isdisjoint(names):
            sections = [_validated(kind, name, values[name]) for name in names]
            lines |= {broken.key: _describe_rule(broken) for broken in rule(*sections)}
    return [printable(f"{name}: {text}") for name, text in lines.items()]


def _unusable_numbers(values: Any, name: str = "") -> Iterator[tuple[str, str, float]]:
    """Yield each number that is not finite or too large: its name, what is expected, and it."""
    if isinstance(values, float) and not math.isfinite(values):
        yield name, "a finite number", values
    elif isinstance(values, int | float) and abs(values) > _LARGEST and name not in _SEEDS:
        yield name, f"a number from -{_LARGEST} to {_LARGEST}", values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from _unusable_numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield from _unusable_numbers(value, f"{name}[{index}]")


def printable(line: str) -> str:
    """Return a line with escapes for characters that must not be printed to a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line
    )


def _validated(kind: type[Params], name: str, values: Any) -> Section:
    section = section_of(kind.model_fields[name].annotation)
    if section is None:
        raise TypeError(f"{name} is no section")
    return section.model_validate(values)


def _lines_of(kind: type[Params], values: Any, detail: Any, task: str) -> list[tuple[str, str]]:
    """Return the name and the text of pydantic's fault, of all rules if it is about rules."""
    section: type[Section] | None = kind
    path: list[str] = []
    expected, found, has_entries = "a section with parameters", values, False
    for part in detail["loc"]:
        name = ".".join([*path, str(part)])
        if section is None:
            # Inside of a value: further parts are indices, or names of alternatives.
            if has_entries and isinstance(part, int):
                return [(f"{'.'.join(path)}[{part}]", _describe(expected, found[part]))]
            break
        field = section.model_fields.get(str(part))
        if field is None or not isinstance(found, Mapping):
            if len(name) > _LONGEST:
                return [(f"{name[:_LONGEST]}...", "unknown parameter")]
            return [(name, f"unknown parameter{suggest(name, task)}")]
        section = section_of(field.annotation)
        expected = "a section with parameters" if section else describe_field(field)
        has_entries = get_origin(field.annotation) is list
        if part not in found:
            return [(name, f"missing; expected {expected}")]
        path.append(str(part))
        found = found[part]
    if detail["type"] == "rules":
        prefix = "".join(f"{part}." for part in path)
        return [(prefix + rule.key, _describe_rule(rule)) for rule in detail["ctx"]["rules"]]
    text = _describe(expected, found)
    if path == ["round"] and type(found) is int and found > LAST_ROUND:
        text += f"; rounds/dvc.yaml ends with round {LAST_ROUND} (more: see docs/settings.md)"
    return [(".".join(path), text)]


def _describe_rule(rule: Rule) -> str:
    return _describe(rule.expected, rule.found)


def _describe(expected: str, found: Any) -> str:
    text = short_repr(found)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"expected {expected}; found {text}"
