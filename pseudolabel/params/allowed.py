"""What a parameter may be, in words: taken from its type, so that the two always agree."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pseudolabel.params.types import Allowed

_PLAIN = {bool: "true or false", str: "text", NoneType: "null for none"}
_BOUNDS = (("ge", "from"), ("gt", "above"), ("le", "up to"), ("lt", "below"))


def describe_field(field: FieldInfo) -> str:
    """Return what a parameter may be, such as "a whole number from 1, or null for none"."""
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, metadata: list[Any]) -> str:
    for constraint in metadata:
        if isinstance(constraint, Allowed):
            return constraint.text
    if annotation in (int, float):
        return _describe_number(annotation, metadata)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return _join([str(choice) for choice in arguments])
    if get_origin(annotation) is Annotated:
        return _describe(arguments[0], [*_flatten(arguments[1:]), *metadata])
    if get_origin(annotation) in (Union, UnionType):
        *choices, last = (_describe(argument, []) for argument in arguments)
        return f"{', '.join(choices)}, or {last}"
    raise TypeError(f"{annotation} needs an Allowed that says what it may be")


def _flatten(metadata: tuple[Any, ...]) -> list[Any]:
    """Return the constraints, those inside of pydantic's Field included."""
    flat: list[Any] = []
    for constraint in metadata:
        flat += constraint.metadata if isinstance(constraint, FieldInfo) else [constraint]
    return flat


def _describe_number(annotation: Any, metadata: list[Any]) -> str:
    limits = {
        name: getattr(constraint, name)
        for constraint in metadata
        for name, _ in _BOUNDS
        if getattr(constraint, name, None) is not None
    }
    noun = "a whole number" if annotation is int else "a number"
    if {"ge", "le"} <= limits.keys():
        return f"{noun} from {limits['ge']} to {limits['le']}"
    words = [f"{word} {limits[name]}" for name, word in _BOUNDS if name in limits]
    return " ".join([noun, " and ".join(words)]).strip()


def _join(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
