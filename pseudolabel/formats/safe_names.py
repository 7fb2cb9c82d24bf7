"""Names that would act where they are shown: in terminals, web pages and spreadsheets."""

from __future__ import annotations

import unicodedata

_LONGEST = 200
_FORMULA = ("=", "+", "-", "@")
"""A cell of a spreadsheet that begins so is a formula."""
_CALLS = ("|", "(")
"""A formula that runs a program or a function has one of these."""
_TURNS_TEXT = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Unicode's controls of direction, after which other text is shown in another order."""


def describe_class_fault(name: str) -> str | None:
    """Return what the name of a class must not have; None if it is safe."""
    if len(name) > _LONGEST:
        return f"a name of at most {_LONGEST} characters"
    if set(name) & set("<>"):
        return "a name without < and >, which act in web pages"
    if name.startswith(_FORMULA):
        return "a name that begins with none of = + - @, which act in spreadsheets"
    return describe_file_fault(name)


def describe_file_fault(name: str) -> str | None:
    """Return what the name of an image or a group must not have; None if it is safe."""
    if any("\ud800" <= character <= "\udfff" for character in name):
        # Python holds bytes that are no UTF-8 as surrogates.
        return "a name in UTF-8"
    if any(map(_is_control, name)):
        return "a name without control characters"
    if "</" in name:
        return "a name without </, which acts in web pages"
    if name.startswith(_FORMULA) and set(name) & set(_CALLS):
        return "a name that is no formula of a spreadsheet"
    return None


def _is_control(character: str) -> bool:
    """Return whether a character breaks lines, is not shown, or turns the text after it."""
    return (
        unicodedata.category(character) in {"Cc", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in _TURNS_TEXT
    )
