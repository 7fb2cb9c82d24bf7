import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ["sh", "dirname", "awk", "df", "git", "uv"]


def backend():
    spec = importlib.util.spec_from_file_location("backend", ROOT / "setup/mmcv/backend.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path):
    """A checkout where nothing is installed, and a PATH that has the basic tools alone."""
    shutil.copytree(ROOT / "setup", tmp_path / "checkout" / "setup")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    (tools / "python3").symlink_to(sys.executable)
    # A compiler and uv that only have to be there.
    for name in ("g++", "uv"):
        if not (tools / name).exists():
            (tools / name).symlink_to("/bin/true")
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


def test_all_there_names_the_python_to_use(checkout):
    done = preflight(checkout, NEEDED_GB="0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "python3\n", "")


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("python3", "setup: Python 3.10, 3.11 or 3.12 is missing: install one"),
        ("g++", "setup: a C++ compiler is missing: install one"),
        ("git", "setup: git is missing: install it"),
    ],
)
def test_a_missing_tool_is_told_in_one_plain_line(checkout, tool, message):
    (checkout / "tools" / tool).unlink()
    done = preflight(checkout, NEEDED_GB="0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(message)


def test_too_little_disk_is_told(checkout):
    done = preflight(checkout, NEEDED_GB="99999999")
    assert done.returncode == 1
    assert "GB of disk are free here, 99999999 GB are needed" in done.stderr


def test_all_that_is_missing_is_told_at_once(checkout):
    for tool in ("g++", "git"):
        (checkout / "tools" / tool).unlink()
    assert len(preflight(checkout, NEEDED_GB="0").stderr.splitlines()) == 2


def test_a_kept_wheel_needs_no_compiler_and_is_handed_out(checkout, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(checkout))
    module = backend()
    wheel = module.kept_wheel()
    assert wheel.parent.name == f"torch-{module.TORCH}-{module.accelerator()}"
    assert f"cp{sys.version_info.major}{sys.version_info.minor}" in wheel.name
    assert "torch==2.13.0" in module.get_requires_for_build_wheel()
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"a wheel")
    assert module.get_requires_for_build_wheel() == []
    (checkout / "out").mkdir()
    assert module.build_wheel(str(checkout / "out")) == wheel.name
    assert (checkout / "out" / wheel.name).read_bytes() == b"a wheel"
    (checkout / "tools" / "g++").unlink()
    assert preflight(checkout, NEEDED_GB="0").returncode == 0


def test_the_backend_compiles_for_the_torch_that_is_installed():
    pins = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    module = backend()
    assert f'"torch=={module.TORCH}"' in pins
    assert f'"onedl-mmcv=={module.MMCV}"' in pins
    assert f'version = "{module.MMCV}"' in (ROOT / "setup/mmcv/pyproject.toml").read_text()


def test_make_help_lists_the_targets():
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ
    )
    assert {line.split(":")[0] for line in done.stdout.splitlines()} >= {"demo", "test", "setup"}
