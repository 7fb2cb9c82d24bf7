"""`pseudolabel check` outside of a project, as after an import."""

import subprocess
import sys
from pathlib import Path

from tests.builders import raw_root


def check(folder, *arguments):
    done = subprocess.run(
        [str(Path(sys.executable).parent / "pseudolabel"), "check", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_outside_of_a_project_the_task_must_be_named(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    status, _, messages = check(tmp_path, root)
    assert status == 1
    assert "params.yaml: none here; run this in a project, or give --task (detection, " in messages


def test_outside_of_a_project_the_defaults_of_a_task_are_used(tmp_path):
    root = raw_root(tmp_path / "raw", gold_count=8)
    status, output, messages = check(tmp_path, root, "--task", "detection")
    assert status == 0, messages
    assert output.startswith("no faults; prepare makes these splits:\n")
    assert "  pool: 3 images\n" in output
