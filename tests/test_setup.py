import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ["sh", "dirname", "awk", "df", "git", "uv"]


@pytest.fixture
def checkout(tmp_path):
    """A checkout without an installation, and a PATH with the basic tools only: no compiler."""
    shutil.copytree(ROOT / "setup", tmp_path / "checkout" / "setup")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    (tools / "python3").symlink_to(sys.executable)
    # uv only has to be there.
    if not (tools / "uv").exists():
        (tools / "uv").symlink_to("/bin/true")
    return tmp_path


def preflight(folder, **environment):
    variables = {"PATH": str(folder / "tools"), "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    return subprocess.run(
        ["sh", str(folder / "checkout" / "setup" / "preflight.sh")],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_preflight_prints_the_interpreter_if_nothing_is_missing(checkout):
    done = preflight(checkout, NEEDED_GB="0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "python3\n", "")


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("python3", "setup: Python 3.10, 3.11, 3.12 or 3.13 is missing: install one"),
        ("git", "setup: git is missing: install it"),
    ],
)
def test_a_missing_tool_is_reported_in_one_line(checkout, tool, message):
    (checkout / "tools" / tool).unlink()
    done = preflight(checkout, NEEDED_GB="0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(message)


def test_too_little_disk_space_is_reported(checkout):
    done = preflight(checkout, NEEDED_GB="99999999")
    assert done.returncode == 1
    assert "GB of disk are free here, 99999999 GB are needed" in done.stderr


def test_all_missing_tools_are_reported_together(checkout):
    for tool in ("python3", "git"):
        (checkout / "tools" / tool).unlink()
    assert len(preflight(checkout, NEEDED_GB="0").stderr.splitlines()) == 2


def test_only_the_optional_operators_need_a_compiler():
    assert "g++" not in (ROOT / "setup/preflight.sh").read_text(encoding="utf-8")
    assert "g++" not in (ROOT / "setup/install.sh").read_text(encoding="utf-8")
    pins = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = (ROOT / "setup/compile_ops.sh").read_text(encoding="utf-8").split("onedl-mmcv==")[1]
    assert f'"onedl-mmcv=={version.split()[0]}"' in pins


def test_make_help_lists_the_targets():
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ
    )
    targets = {line.split(":")[0] for line in done.stdout.splitlines()}
    assert targets >= {"demo", "test", "setup", "ops"}


def test_a_missing_browser_is_reported_in_one_line(checkout):
    script = checkout / "checkout" / "setup" / "browser.sh"
    tools = checkout / "tools"
    done = subprocess.run(
        ["sh", str(script)], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("setup: the tests of the pages need chromium and chromedriver")
    assert len(done.stderr.splitlines()) == 1
    for name in ("chromium", "chromedriver"):
        (tools / name).symlink_to("/bin/true")
    done = subprocess.run(["sh", str(script)], env={"PATH": str(tools)}, check=False)
    assert done.returncode == 0
