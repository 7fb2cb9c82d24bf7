"""Finding the path that a name means: files are often moved, renamed or written on Windows."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

_Entries = dict[str, list[tuple[list[str], str]]]
"""By the last part of a path: all its parts, and the path."""


class PathIndex:
    """Paths, found by the longest ending that only one of them has.

    Names are compared in one Unicode form, backslashes count as slashes, and `.` and `..` are left
    out.

    Args:
        names: the paths, with slashes.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)

    def __contains__(self, name: str) -> bool:
        """Return whether the index has exactly this path."""
        return name in self._exact

    def find(self, name: str) -> list[str]:
        """Return the paths that a name may mean: one if it is clear, several if it is not."""
        return _best(path_parts(name), self._by_name)

    def find_stem(self, name: str) -> list[str]:
        """Return the paths that a name without a suffix may mean; their suffix is ignored."""
        return _best(path_parts(name), self._by_stem)

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _by_name(self) -> _Entries:
        found = defaultdict(list)
        for name in self.names:
            parts = path_parts(name)
            found[parts[-1]].append((parts, name))
        return found

    @cached_property
    def _by_stem(self) -> _Entries:
        found = defaultdict(list)
        for name in self.names:
            parts = path_parts(name.rpartition(".")[0])
            found[parts[-1]].append((parts, name))
        return found


def path_parts(name: str) -> list[str]:
    """Return the parts of a path in one Unicode form, without `.` and `..`."""
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".", "..")]


def _best(wanted: list[str], index: _Entries) -> list[str]:
    """Return the paths with the longest ending in common with the wanted path."""
    candidates = index.get(wanted[-1], []) if wanted else []
    for parts, name in candidates:
        if parts == wanted:
            return [name]
    for length in range(len(wanted), 0, -1):
        found = [name for parts, name in candidates if parts[-length:] == wanted[-length:]]
        if found:
            return found
    return []
