"""A worker of torch's data loader ends when its parent is killed, even while it waits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PARENT = """
import time
from torch.utils.data import DataLoader
from pseudolabel.core.worker_processes import end_with_parent

# Each batch is larger than a pipe holds: a worker waits until it is read.
batches = [bytes(1_000_000)] * 64
loader = DataLoader(batches, None, num_workers=2, worker_init_fn=end_with_parent)
one_pass = iter(loader)
next(one_pass)
print("ready", flush=True)
time.sleep(600)
"""


def test_workers_end_with_a_parent_that_was_killed():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout.readline() == b"ready\n"
        workers = psutil.Process(parent.pid).children(recursive=True)
        assert len(workers) >= 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs(workers, timeout=20)
        for one in alive:
            one.kill()
        assert not alive
