"""PEP 517 backend that hands out this machine's onedl-mmcv wheel, compiled when first needed.

The wheel lies in <user cache>/pseudolabel/wheels/torch-<version>-<cpu or cuda>/, and its own name
says Python and platform. `python setup/mmcv/backend.py` prints where the wheel of this interpreter
is kept, and fails where there is none yet.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

MMCV = "2.3.6"
TORCH = "2.13.0"


def accelerator() -> str:
    """Return "cuda" where ops for a GPU can be compiled here, else "cpu"."""
    has_gpu = Path("/dev/nvidiactl").exists() and shutil.which("nvcc") is not None
    return "cuda" if has_gpu or os.environ.get("FORCE_CUDA") == "1" else "cpu"


def kept_wheel() -> Path:
    """Return where the wheel of this torch, Python and platform is kept."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "pseudolabel" / "wheels" / f"torch-{TORCH}-{accelerator()}"
    return folder / f"onedl_mmcv-{MMCV}-{python}-{python}-{platform}.whl"


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what compiling needs: nothing where a wheel is kept."""
    if kept_wheel().exists():
        return []
    return [f"torch=={TORCH}", "pip", "setuptools<81", "wheel", "ninja", "psutil"]


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Copy the kept wheel into `wheel_directory`, compiling it first where there is none."""
    wheel = kept_wheel()
    if not wheel.exists():
        compile_wheel(wheel)
    shutil.copy2(wheel, wheel_directory)
    return wheel.name


def compile_wheel(wheel: Path) -> None:
    """Compile onedl-mmcv's ops from its source archive and keep the result as `wheel`."""
    environment = dict(os.environ, MMCV_WITH_OPS="1")
    if accelerator() == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, "-m", "pip", "wheel", f"onedl-mmcv=={MMCV}", "--verbose"]
    command += ["--no-deps", "--no-build-isolation", "--no-binary", "onedl-mmcv"]
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent) as aside:
        subprocess.run([*command, "--wheel-dir", aside], check=True, env=environment)
        built = next(Path(aside).glob("onedl_mmcv-*.whl"))
        built.replace(wheel)


if __name__ == "__main__":
    print(kept_wheel())
    sys.exit(not kept_wheel().exists())
