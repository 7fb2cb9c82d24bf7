"""The files of a raw root, with what shows that a file has changed: its size and its times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, tee
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.files import hash_bytes
from pseudolabel.core.worker_processes import end_with_parent
from pseudolabel.formats.image_files import is_junk

_CHUNK = 10_000
"""Files whose states one worker reads at a time."""
_FEW_CHUNKS = 5
"""Up to this number, starting worker processes would take longer than they save."""


@dataclass(frozen=True)
class FileStates:
    """The files of a folder and its subfolders, folder by folder.

    Attributes:
        names: (n,) paths relative to the folder, as the operating system writes them.
        states: (n, 3) size in bytes, time of the last change of the content, and time of the last
            change of the name or the rights, both in nanoseconds; -1 if a file cannot be reached.
        links: (n,) whether the path is a symbolic link.
    """

    names: list[bytes]
    states: NDArray[np.int64]
    links: NDArray[np.bool_]

    @cached_property
    def signature(self) -> str:
        """One hash of all names and states: equal as long as no file has changed."""
        return hash_bytes(b"\0".join([*self.names, self.states.tobytes(), self.links.tobytes()]))


@dataclass(frozen=True)
class _Chunk:
    """Some files of one folder, whose path ends with a slash."""

    folder: bytes
    names: list[bytes]


def read_file_states(root: Path) -> FileStates:
    """Return the states of all files in a folder and its subfolders, read by several processes.

    Files that operating systems and notebooks leave behind are left out. A link to a folder is
    followed directly in the root alone; deeper, it counts as a file.
    """
    base = os.fsencode(root) + b"/"
    links: list[bool] = []
    listed = _chunks(base, links, is_root=True)
    chunks = list(islice(listed, _FEW_CHUNKS))
    if len(chunks) < _FEW_CHUNKS:
        states = list(map(_read_states, chunks))
    else:
        # Workers read states while this process lists the next folders.
        waiting, others = tee(listed)
        with ProcessPoolExecutor(initializer=end_with_parent) as pool:
            states = list(pool.map(_read_states, chain(chunks, waiting)))
        chunks += others
    paths: list[bytes] = []
    for chunk in chunks:
        inner = chunk.folder[len(base) :]
        paths += [inner + name for name in chunk.names]
    empty = np.empty((0, 3), np.int64)
    return FileStates(paths, np.concatenate([empty, *states]), np.array(links, np.bool_))


def _chunks(folder: bytes, links: list[bool], is_root: bool = False) -> Iterator[_Chunk]:
    """Yield the files of a folder and its subfolders; add whether each is a link."""
    names: list[bytes] = []
    links_here: set[bytes] = set()
    folders: list[bytes] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            # Of most names, the first letter tells; this line runs for each file of a million.
            if name.startswith((b".", b"_")) and is_junk(os.fsdecode(name)):
                continue
            if entry.is_file(follow_symlinks=False):
                names.append(name)
            elif entry.is_dir(follow_symlinks=is_root):
                folders.append(name)
            else:
                names.append(name)
                if entry.is_symlink():
                    links_here.add(name)
    names.sort()
    links += [name in links_here for name in names] if links_here else [False] * len(names)
    for begin in range(0, len(names), _CHUNK):
        yield _Chunk(folder, names[begin : begin + _CHUNK])
    for inner in sorted(folders):
        yield from _chunks(folder + inner + b"/", links)


def _read_states(chunk: _Chunk) -> NDArray[np.int64]:
    """Return the (n, 3) states of some files."""
    folder = os.open(chunk.folder, os.O_RDONLY)
    try:
        found = [os.stat(name, dir_fd=folder) for name in chunk.names]
        states = [(one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found]
    except OSError:
        states = [_state(name, folder) for name in chunk.names]
    finally:
        os.close(folder)
    return np.array(states, np.int64)


def _state(name: bytes, folder: int) -> tuple[int, int, int]:
    try:
        status = os.stat(name, dir_fd=folder)
    except OSError:
        return -1, -1, -1
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
