"""The shared memory of the system, through which processes that read images hand on batches."""

from __future__ import annotations

import shutil
from pathlib import Path

from pseudolabel.core.errors import PseudolabelError

LOADER_TIMEOUT = 300
"""Seconds after which a data loader with processes gives up waiting for a batch."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - nothing is written to it here
_BATCHES_AHEAD = 2
"""Batches that each process of torch's data loader holds ready."""


class SharedMemoryError(PseudolabelError):
    """The shared memory is too small: a data loader would wait for ever."""


def refuse_small_shared_memory(workers: int, batch_bytes: int) -> None:
    """Raise if the batches of the processes that read images do not fit into shared memory.

    Args:
        workers: number of processes; 0 needs no shared memory.
        batch_bytes: size of a batch.

    Raises:
        SharedMemoryError: the batches do not fit.
    """
    if not workers or not _SHARED_MEMORY.is_dir():
        return
    needed, free = workers * _BATCHES_AHEAD * batch_bytes, shutil.disk_usage(_SHARED_MEMORY).free
    if free < needed:
        raise SharedMemoryError(
            f"{_SHARED_MEMORY}: expected {needed / 1e6:,.1f} MB free for the batches of "
            f"data.workers ({workers}), found {free / 1e6:,.1f} MB: set "
            "data.workers to 0, or give a container more, as by `docker run --shm-size=2g`"
        )
