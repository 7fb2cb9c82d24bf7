"""Processes that read images need shared memory; without it they would wait for ever."""

import subprocess
import sys

import pytest

from pseudolabel.core import shared_memory
from pseudolabel.core.shared_memory import SharedMemoryError, refuse_small_shared_memory
from tests.conftest import ROOT
from tests.processes import write_project


def test_the_message_says_what_is_missing_and_what_to_do(monkeypatch):
    monkeypatch.setattr(
        shared_memory.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 64_000_000})
    )
    refuse_small_shared_memory(0, 10**12)
    refuse_small_shared_memory(4, 8_000_000)
    with pytest.raises(SharedMemoryError) as caught:
        refuse_small_shared_memory(4, 8_100_000)
    assert str(caught.value) == (
        "/dev/shm: expected 64.8 MB free for the batches of data.workers (4), found 64.0 MB: set "
        "data.workers to 0, or give a container more, as by `docker run --shm-size=2g`"
    )


def can_mount():
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/dev/shm"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="this system does not let users mount")
@pytest.mark.parametrize(("stage", "number"), [("train", 0), ("pseudo_label", 1)])
@pytest.mark.parametrize("any_task", ["detection"], indirect=True)
def test_a_stage_stops_at_once_if_shared_memory_is_tiny(any_task, tmp_path, stage, number):
    write_project(
        any_task.root, any_task.prepared, tmp_path, data={"root": str(any_task.root), "workers": 1}
    )
    (tmp_path / "rounds/0").mkdir(parents=True)
    (tmp_path / "rounds/0/champion").symlink_to(any_task.model)
    mount = "mount -t tmpfs -o size=40k none /dev/shm"
    run = f"{mount} && PYTHONPATH={ROOT} exec {sys.executable} -m stages.{stage} {number}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", run],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: /dev/shm: expected 0.")
