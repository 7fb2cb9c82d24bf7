"""Processes that read images for another one, such as the workers of torch's data loader."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""Linux: the signal that a process gets when its parent ends (prctl(2))."""


def end_with_parent(worker_id: int = 0) -> None:  # noqa: ARG001 - as torch calls it
    """Let this process end as soon as its parent does, even if the parent was killed.

    A worker of torch that waits to hand on a batch would otherwise wait for ever: the other workers
    hold the other end of its pipe open.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
