"""Locks: two processes never write the same output, or work in the same scratch folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pseudolabel.core.errors import BusyError

LOCK = "lock"
"""The name of a lock file."""


@contextmanager
def exclusive_lock(folder: Path, work: str) -> Iterator[None]:
    """Hold the lock of a folder, which is created if it does not exist.

    The lock ends with the process that holds it, however it ends: the file that a killed process
    has left locks nothing.

    Args:
        folder: the folder.
        work: what a process with this lock does, such as `writing rounds/0/model`.

    Raises:
        BusyError: another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            # Child processes do not inherit this kind of lock: it never outlives its owner.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            lock.seek(0)
            owner = f" ({lock.read()})"
            advice = "wait for it to end, or stop it"
            raise BusyError(f"another run is {work}{owner}: {advice}") from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()} since {time.strftime('%H:%M')}")
        lock.flush()
        yield
