"""Faults of the machine, such as a full disk, in one line that says what to do."""

from __future__ import annotations

import errno
import os

_RUN_AGAIN = "then run again: finished work is kept"
_ADVICE = {
    errno.ENOSPC: f"free some space on this disk, {_RUN_AGAIN}",
    errno.EDQUOT: f"free some space of your quota, {_RUN_AGAIN}",
    errno.EROFS: f"make it writable, {_RUN_AGAIN}",
    errno.EACCES: f"change its permissions, {_RUN_AGAIN}",
    errno.EIO: f"check the disk and its connection, {_RUN_AGAIN}",
    errno.EMFILE: f"allow more open files (ulimit -n), {_RUN_AGAIN}",
}
_SMALLER = "a smaller batch_size, image_size or data.workers needs less"
_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "out of memory")
"""What torch and the system say if memory is short, in lower case."""
_WORKERS = {
    "DataLoader timed out": "a loader worker has sent no image for too long",
    "DataLoader worker (pid": "a loader worker has died, often for lack of memory or of /dev/shm",
}
"""What torch says about its loader workers, and what it means."""
_NO_WORKERS = "data.workers: 0 reads images without workers"
_SHARED_FILE = "</torch_"
"""In what torch says if a loader worker cannot write its batch into shared memory."""


def describe_machine_fault(error: BaseException) -> str | None:
    """Return a line about the fault of the machine behind an error; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _ADVICE:
            where = f"{cause.filename}: " if cause.filename else ""
            return f"{where}{os.strerror(cause.errno)}: {_ADVICE[cause.errno]}"
        if isinstance(cause, MemoryError) or _is_about_memory(cause):
            return f"the memory is full: {_SMALLER}"
        if isinstance(cause, RuntimeError) and _SHARED_FILE in str(cause):
            return f"the shared memory is full: {_NO_WORKERS}, or give a container more of it"
        for words, meaning in _WORKERS.items():
            if isinstance(cause, RuntimeError) and str(cause).startswith(words):
                return f"{meaning}: {_NO_WORKERS}"
        cause = cause.__cause__ or cause.__context__
    return None


def _is_about_memory(error: BaseException) -> bool:
    is_kind = isinstance(error, (RuntimeError, OSError))
    return is_kind and any(words in str(error).lower() for words in _NO_MEMORY)
