"""The package alone: the wheel in a new environment, `init`, and a loop to round 1."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builders import raw_root
from tests.pipeline.conftest import ROOT, STAGE, make_tiny, round_stages, without_indexes

pytestmark = pytest.mark.slow

# Two packages ask for opencv-python, which needs libGL; the headless build has the same modules.
OVERRIDES = "opencv-python; sys_platform == 'never'\n"


def run(*command, folder, path=""):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The bin folder of a new environment with the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    run(uv, "build", "--quiet", "--wheel", "--out-dir", folder, str(ROOT), folder=folder)
    (wheel,) = folder.glob("*.whl")
    (folder / "overrides.txt").write_text(OVERRIDES)
    run(uv, "venv", "--quiet", "venv", folder=folder)
    install = ("pip", "install", "--quiet", "--python", "venv", "--overrides", "overrides.txt")
    run(uv, *install, str(wheel), folder=folder)
    return folder / "venv" / "bin"


def test_a_project_made_by_the_installed_wheel_reaches_round_1(scripts, tmp_path):
    raw_root(tmp_path / "photos", gold_count=8, pool_count=4)
    command = ("pseudolabel", "init", "mine", "--task", "detection", "--data", "photos")
    assert "a project for detection" in run(*command, folder=tmp_path, path=scripts)
    project = tmp_path / "mine"
    where = run(
        "python", "-c", "import pseudolabel as p; print(p.__file__)", folder=project, path=scripts
    )
    assert Path(where.strip()).is_relative_to(scripts.parent)
    make_tiny(project / "params.yaml", "detection", last_round=1)
    stages = STAGE.findall(run("dvc", "repro", folder=project, path=scripts))
    assert without_indexes(stages)[-6:] == [*round_stages(1), "compare"]
    assert "| 1 |" in " ".join((project / "report/rounds.md").read_text().split())
