"""Limits for values that were read from YAML: a few bytes of it can stand for any number."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

MOST_YAML_BYTES = 1_000_000
_MOST_VALUES, _MOST_LEVELS, _MOST_BITS = 100_000, 20, 1000
"""Python cannot print whole numbers of thousands of digits, which hexadecimals can be."""

_MOST_OPEN = 500
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def has_many_open_brackets(text: str) -> bool:
    """Return whether a text opens more brackets than any sound YAML.

    The time that the YAML packages take grows with the square of their number.
    """
    steps = (_STEPS[character] for character in text if character in _STEPS)
    return max(accumulate(steps), default=0) > _MOST_OPEN


def describe_excess(values: Any) -> str | None:
    """Return what is expected of values that are too many, or nested too deep; None for others.

    Values that aliases repeat count at each use.
    """
    level, count = [[values]], 0
    # The values themselves are in a list of one.
    for _ in range(_MOST_LEVELS + 1):
        deeper: list[Any] = []
        for group in level:
            children = group.values() if isinstance(group, dict) else group
            count += len(children)
            if count > _MOST_VALUES:
                return f"at most {_MOST_VALUES:,} values"
            if any(type(child) is int and child.bit_length() > _MOST_BITS for child in children):
                return f"numbers of at most {_MOST_BITS:,} bits"
            deeper += [child for child in children if isinstance(child, dict | list | set)]
        level = deeper
    return f"at most {_MOST_LEVELS} levels" if level else None
