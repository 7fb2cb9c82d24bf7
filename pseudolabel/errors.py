"""The errors of the project: one base, messages that a user can act on."""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class PseudolabelError(Exception):
    """Base of every error whose message is meant for the user."""


class ParamsError(PseudolabelError):
    """params.yaml says something that no stage can follow."""


class SilverError(PseudolabelError):
    """The silver labels are such that training on them makes no sense."""


class ModelError(PseudolabelError):
    """A model config, checkpoint or training pipeline cannot be used."""


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that names may hold and terminals should not see."""

SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxlist, SHORT.maxdict = 4, 8, 4
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 80


def shown(value: object) -> str:
    """Return what was found, in short, however deep or long it is."""
    return SHORT.repr(value)


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with the data: where, what was expected and what was found."""

    file: str
    record: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return the fault as one line."""
        where = f"{self.file}: {self.record}" if self.record else self.file
        text = f"{where}: expected {self.expected}, found {self.found}"
        return CONTROL.sub(lambda it: it[0].encode("unicode_escape").decode(), text)


class DataError(PseudolabelError):
    """Faults in the data, all of them at once.

    Attributes:
        faults: every fault, in the order in which the message lists them.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"{count} fault{'s' * (count != 1)} in the data:\n{lines}")


@contextmanager
def plain_errors() -> Iterator[None]:
    """End the program with status 1 and the bare message where the error is meant for the user."""
    try:
        yield
    except PseudolabelError as error:
        sys.exit(f"error: {error}")
