"""The errors of the project: one base class, and messages that a user can act on."""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.files import written_aside
from pseudolabel.core.machine_faults import describe_machine_fault


class PseudolabelError(Exception):
    """Base of every error whose message is meant for the user."""


def _own_message(error: PseudolabelError) -> str:
    """Return the message of an error, without the traceback of torch's data loader.

    In a worker process, the loader puts the traceback into the message of a new error.
    """
    kind = type(error)
    return str(error).rpartition(f"\n{kind.__module__}.{kind.__qualname__}: ")[2].rstrip()


class ParamsError(PseudolabelError):
    """params.yaml holds values that no stage can use."""


class SilverError(PseudolabelError):
    """The silver labels are not good enough to train on."""


class ModelError(PseudolabelError):
    """A model config, checkpoint or training pipeline cannot be used."""


class BusyError(PseudolabelError):
    """Another process does the same work at this moment."""


class ReviewError(PseudolabelError):
    """Images cannot be sent to a labelling tool, or their labels cannot be fetched."""


class BucketError(PseudolabelError):
    """A bucket cannot be read, such as for a wrong address, or without keys."""


class MachineError(PseudolabelError):
    """The machine has failed to read a file that it has."""


_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that may be in names, but must not be printed to a terminal."""

_LONGEST_LINE = 200
"""Characters of a fault in a message; its longest parts are shortened in the middle."""
_LEAST_ROOM = 140
"""Characters for all but the path of the file: a long path must not hide the fault."""
_LONGEST_PATH = 120
_FEW_FAULTS = 20
"""Up to so many faults are all in the message; more are counted by kind."""
_KINDS_SHOWN = 20
_EXAMPLES = 3
"""Faults shown of each kind."""
_FAULTS_FILE = Path("faults.txt")
"""The file in the working folder with every fault, if there are more than a few."""

_SHORT_REPR = reprlib.Repr()
_SHORT_REPR.maxlevel, _SHORT_REPR.maxlist, _SHORT_REPR.maxdict = 4, 8, 4
_SHORT_REPR.maxstring = _SHORT_REPR.maxother = _SHORT_REPR.maxlong = 80


def short_repr(value: object) -> str:
    """Return the repr of a value, shortened if it is long or deeply nested."""
    return _shorten(_SHORT_REPR.repr(value), _LONGEST_LINE)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 fault`, `2 faults`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _shorten(text: str, length: int) -> str:
    """Return a text of at most `length` characters: a long text loses its middle."""
    if len(text) <= length:
        return text
    tail = (length - 5) // 3
    return f"{text[: length - 5 - tail]} ... {text[len(text) - tail :]}"


def _shorten_together(texts: Sequence[str], length: int) -> list[str]:
    """Return texts of at most `length` characters together; the longest are shortened."""
    shortened = list(texts)
    by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for done, index in enumerate(by_length):
        shortened[index] = _shorten(texts[index], length // (len(texts) - done))
        length -= len(shortened[index])
    return shortened


@dataclass(frozen=True, order=True)
class Fault:
    """One fault in the data.

    Attributes:
        file: the name of the file.
        record: the record in the file; empty for a fault of the whole file.
        expected: the expected value.
        found: the value found.
    """

    file: str
    record: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return the fault as one line of at most 200 characters, or more if the path is long."""
        file = _shorten(_printable(self.file), _LONGEST_PATH)
        parts = [_printable(text) for text in (self.record, self.expected, self.found)]
        room = max(_LONGEST_LINE - len(file) - len(": : expected , found "), _LEAST_ROOM)
        record, expected, found = _shorten_together(parts, room)
        where = f"{file}: {record}" if record else file
        return f"{where}: expected {expected}, found {found}"


def _printable(text: str) -> str:
    """Return a text with its control characters escaped."""
    return _CONTROL_CHARACTERS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class DataError(PseudolabelError):
    """All faults found in the data.

    The message lists a few faults one by one. Many faults are counted by kind: the faults of one
    file with the same expected value are of one kind.

    Attributes:
        faults: every fault, in the order of the message.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        lines = [str(fault) for fault in faults] if self.is_short else self._describe_kinds()
        text = "\n".join(f"  {line}" for line in lines)
        super().__init__(f"{counted(len(self.faults), 'fault')} in the data:\n{text}")

    @property
    def is_short(self) -> bool:
        """Whether the message lists every fault."""
        return len(self.faults) <= _FEW_FAULTS

    def _describe_kinds(self) -> list[str]:
        """Return the lines of the largest kinds of faults: a count and a few examples each."""
        kinds: dict[tuple[str, str], list[Fault]] = {}
        for fault in self.faults:
            kinds.setdefault((fault.file, fault.expected), []).append(fault)
        largest = sorted(kinds.values(), key=len, reverse=True)
        lines: list[str] = []
        for faults in largest[:_KINDS_SHOWN]:
            lines += map(str, faults[:_EXAMPLES])
            if len(faults) > _EXAMPLES:
                lines.append(f"  and {len(faults) - _EXAMPLES:,} more of this kind")
        rest = largest[_KINDS_SHOWN:]
        if rest:
            count = counted(sum(map(len, rest)), "fault")
            lines.append(f"and {count} of {counted(len(rest), 'other kind')}")
        return lines


def _write_faults(error: DataError) -> str:
    """Write every fault to a file, and return a line that names it; empty if it cannot be written.

    An older file is overwritten.
    """
    text = "".join(f"{fault}\n" for fault in error.faults)
    try:
        with written_aside(_FAULTS_FILE) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError:
        return ""
    return f"\nall faults: {_FAULTS_FILE.resolve()}"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Exit with status 1, and print only the message, if an error is meant for the user.

    If the message cannot list all faults, they are written to faults.txt in the working folder.
    """
    try:
        yield
    except DataError as error:
        sys.exit(f"error: {error}{'' if error.is_short else _write_faults(error)}")
    except PseudolabelError as error:
        sys.exit(f"error: {_own_message(error)}")
    except KeyboardInterrupt:
        sys.exit("stopped: run again to continue")
    except Exception as error:
        fault = describe_machine_fault(error)
        if fault is None:
            raise
        sys.exit(f"error: {fault}")
