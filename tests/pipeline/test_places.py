"""The loop in places that break other programs: names of folders, locales, homes, clones.

test_tasks.py has the loop without a network.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import copy_of_project

pytestmark = pytest.mark.slow


def run(folder, environment, *command):
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_rounds_run_in_a_shallow_clone_with_a_difficult_name(tmp_path):
    (tmp_path / "project").mkdir()
    copy_of_project(tmp_path / "project", "classification")
    clone = tmp_path / "-möbel & 'räume' 100% #1"
    # No home that can be written, no identity of git, and a locale without umlauts.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": "/proc", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1"}
    url = (tmp_path / "project").as_uri()
    cloned = run(
        tmp_path, environment, "git", "clone", "-q", "--depth", "1", url, f"./{clone.name}"
    )
    assert cloned.returncode == 0, cloned.stderr
    run(clone, environment, "git", "checkout", "-q", "--detach")
    run(clone, environment, "dvc", "config", "--local", "cache.type", "symlink")
    target = "rounds/dvc.yaml:filter@1"
    done = run(clone, environment, "dvc", "repro", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((clone / "rounds/1/silver").iterdir())
    assert "didn't change, skipping" in run(clone, environment, "dvc", "repro", target).stdout
