"""The loop in places that break other programs: names of folders, locales, homes, clones."""

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


def without_network():
    """The command that runs others without any network; None if this system has none."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *user, "--net"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except OSError:
        return None
    return None if done.returncode else command


@pytest.mark.skipif(without_network() is None, reason="this system has no network namespaces")
def test_the_loop_ends_without_a_network(tmp_path):
    copy_of_project(tmp_path, "classification")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A new namespace has a loopback device only, and that one is down.
    done = run(tmp_path, dict(os.environ, PATH=path), *without_network(), "dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "report/rounds.md").is_file()
    assert (tmp_path / "rounds/2/champion").is_dir()


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
