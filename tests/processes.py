"""Stages that run as separate processes, as DVC starts them, so that tests can kill them."""

import os
import subprocess
import sys
import time

import yaml

from tests.conftest import ROOT, tiny_params


def write_project(root, prepared, folder, task="detection", **changes):
    """Write a project with the params of a tiny task and with prepared data."""
    params = tiny_params(root, task, **changes)
    (folder / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json")))
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "data").mkdir()
    (folder / "data" / "prepared").symlink_to(prepared)


def launcher(processes=1, machines=1, rendezvous=None, restarts=3):
    """The parameters `train.launcher`."""
    return {
        "processes": processes,
        "machines": machines,
        "rendezvous": rendezvous,
        "restarts": restarts,
    }


def start_stage(folder, stage, *arguments, site=ROOT):
    """Start a stage of a project, in a new process group.

    Args:
        folder: the project.
        stage: the name of the stage.
        arguments: its arguments.
        site: a folder whose sitecustomize.py every Python process of the stage runs first.
    """
    return start_module(folder, f"stages.{stage}", *arguments, site=site)


def start_module(folder, module, *arguments, site=ROOT):
    """Start a module in a project, in a new process group; the rest as start_stage."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=f"{site}{os.pathsep}{ROOT}"),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for(condition, process, seconds=120):
    """Wait until a condition is true; fail if the process ends first."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)


def finish(process):
    """Wait for the end of a stage, which must succeed."""
    messages = process.communicate()[1].decode()
    assert process.returncode == 0, messages
