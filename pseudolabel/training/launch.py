"""Starts torchrun: several processes train one model, on one machine or on several.

The machines share the project's folder. The first one runs the stage. While it trains, a file in
the scratch folder tells the others where to meet; they run `python -m pseudolabel join`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch

from pseudolabel.core.errors import ModelError
from pseudolabel.core.files import read_json, remove, write_json
from pseudolabel.core.workdir import SCRATCH, workers_lock
from pseudolabel.params.common import Params

WORKER_PARAMS = "params.json"
"""The parameters for torchrun's processes, in the scratch folder."""
FAULT = "fault.txt"
"""The message of a process that torchrun started, in the scratch folder."""
_MEETING = "meeting.json"
"""In the scratch folder during a training on several machines: what the others must know."""
_SECONDS_TO_CONNECT = 5


def run_torchrun(data: Path, scratch: Path, params: Params) -> None:
    """Run `pseudolabel.training.torchrun_worker` in several processes.

    Args:
        data: the folder of the training data.
        scratch: the folder for checkpoints, the curve and the finished model's files.
        params: all parameters of the round, after resolve_champion.

    Raises:
        BusyError: processes of an earlier run still train in the scratch folder.
        ModelError: the training has failed, with the message of the process that failed.
    """
    with workers_lock(scratch):
        write_json(scratch / WORKER_PARAMS, params.model_dump(mode="json"))
        remove(scratch / FAULT)
    launcher = params.train.launcher
    meeting = launcher.model_dump() | {"data": str(data), "scratch": str(scratch)}
    # torchrun can restart the processes of one machine. With several, its machines count restarts
    # each for itself, and then wait for each other without end: so they meet anew.
    tries = launcher.restarts + 1 if launcher.machines > 1 else 1
    for _ in range(tries):
        address = launcher.rendezvous or _free_address(launcher.machines)
        with _announced(meeting | {"rendezvous": address}) as announced:
            status = _torchrun(announced, is_host=True)
        if not status or (scratch / FAULT).exists():
            break
    if (scratch / FAULT).exists():
        message = (scratch / FAULT).read_text(encoding="utf-8")
        raise ModelError(message.removeprefix("error: "))
    if status:
        raise ModelError(
            f"torchrun: expected exit status 0, found {status}; see its messages above"
        )


def join_trainings() -> NoReturn:
    """Take part in each training that another machine starts in this project, without end."""
    while True:
        for path in SCRATCH.glob(f"train/*/{_MEETING}"):
            meeting = read_json(path)
            if _can_connect(meeting["rendezvous"]):
                print(f"takes part in {meeting['scratch']}", flush=True)
                status = _torchrun(meeting, is_host=False)
                end = f"ended with status {status}" if status else "has ended"
                print(f"the training {end}; waits for the next one", flush=True)
        time.sleep(1)


@contextmanager
def _announced(meeting: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Tell other machines of a training while it runs."""
    if meeting["machines"] == 1:
        yield meeting
        return
    path = Path(meeting["scratch"]) / _MEETING
    print(f"waits for {meeting['machines'] - 1} other machines: pseudolabel join", flush=True)
    write_json(path, meeting)
    try:
        yield meeting
    finally:
        remove(path)


def _torchrun(meeting: dict[str, Any], is_host: bool) -> int:
    """Run torchrun on this machine, and return its exit status.

    Args:
        meeting: the launcher's parameters, and the folders of the training.
        is_host: whether the machines meet at this one.
    """
    command = [sys.executable, "-m", "pseudolabel.training.torchrun"]
    command += [f"--nproc-per-node={meeting['processes']}", f"--nnodes={meeting['machines']}"]
    restarts = meeting["restarts"] if meeting["machines"] == 1 else 0
    command += [f"--max-restarts={restarts}"]
    command += ["--rdzv-backend=c10d", "--rdzv-id=pseudolabel"]
    command += [f"--rdzv-endpoint={meeting['rendezvous']}", f"--rdzv-conf=is_host={int(is_host)}"]
    command += ["--module", "pseudolabel.training.torchrun_worker"]
    command += [meeting["data"], meeting["scratch"]]
    environment = dict(os.environ)
    threads = max(1, torch.get_num_threads() // meeting["processes"])
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment.setdefault("LOGLEVEL", "CRITICAL")
    return subprocess.run(command, check=False, env=environment).returncode


def _free_address(machines: int) -> str:
    """Return an address of this machine with a free port; one machine needs no name."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    return f"{'localhost' if machines == 1 else socket.getfqdn()}:{port}"


def _can_connect(address: str) -> bool:
    """Return whether a machine answers at an address; a killed training leaves a dead one."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_SECONDS_TO_CONNECT):
            return True
    except (OSError, OverflowError):
        return False
