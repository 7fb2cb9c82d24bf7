"""Seconds and peak memory of a job in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What a job needed, and what it returned.

    Attributes:
        seconds: the time that passed.
        cpu_seconds: the time of its processors, which other programs do not change much.
        peak_gb: the peak resident memory in GB.
        result: the value that the job returned.
    """

    seconds: float
    cpu_seconds: float
    peak_gb: float
    result: Any

    def __str__(self) -> str:
        """Return the cost as a text for a table or a line."""
        times = f"{self.seconds:.1f} s ({self.cpu_seconds:.1f} s of CPU)"
        return f"{times}, peak memory {self.peak_gb:.2f} GB"


def measure(job: Callable[..., object], *arguments: object) -> Cost:
    """Run a job in a separate process, and return its cost."""
    queue: multiprocessing.Queue[Cost] = multiprocessing.Queue()
    process = multiprocessing.Process(target=run_and_report, args=(queue, job, *arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{job.__name__} failed")
    return queue.get()


def run_and_report(
    queue: multiprocessing.Queue, job: Callable[..., object], *arguments: object
) -> None:
    """Run a job, and put its cost on the queue."""
    start, cpu = time.perf_counter(), time.process_time()
    result = job(*arguments)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    queue.put(Cost(seconds, cpu, peak, result))
