"""A Label Studio server of the project's own, in a virtual environment of its own.

It listens on this machine alone. Its data, its environment and its token are in .label_studio/,
which git ignores.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pseudolabel.core.errors import ReviewError
from pseudolabel.core.files import written_aside

FOLDER = Path(".label_studio")
TOKEN_FILE = FOLDER / "token"
REQUIREMENT = "label-studio==1.23.2"
USER = "reviewer@localhost.local"
HOST = "127.0.0.1"
PORT = 8080


def install() -> Path:
    """Return the server's program; it is installed at the first call.

    Raises:
        ReviewError: it cannot be installed.
    """
    environment = FOLDER / "venv"
    program = environment / "bin" / "label-studio"
    if program.exists():
        return program
    print(f"installs {REQUIREMENT} into {environment}, once, about 1 GB", flush=True)
    for command in _install_commands(environment):
        if subprocess.run(command, check=False).returncode:
            raise ReviewError(f"{' '.join(command)} failed: see its messages above")
    return program


def _install_commands(environment: Path) -> list[list[str]]:
    """Return the commands that make the environment: those of uv, which is faster, or of pip."""
    python = str(environment / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        return [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)],
            [uv, "pip", "install", "--quiet", "--python", python, REQUIREMENT],
        ]
    return [
        [sys.executable, "-m", "venv", "--clear", str(environment)],
        [python, "-m", "pip", "install", "--quiet", REQUIREMENT],
    ]


def token() -> str:
    """Return the token of the server's only account; it is made at the first call."""
    if not TOKEN_FILE.exists():
        FOLDER.mkdir(exist_ok=True)
        with written_aside(TOKEN_FILE) as aside:
            aside.touch(mode=0o600)
            aside.write_text(secrets.token_hex(20), encoding="utf-8")
    return TOKEN_FILE.read_text(encoding="utf-8")


def _server_command(program: Path, port: int) -> list[str]:
    """Return the command that starts the server."""
    command = [str(program.resolve()), "start", "--no-browser", "--log-level", "WARNING"]
    command += ["--internal-host", HOST, "--port", str(port)]
    return [*command, "--data-dir", str((FOLDER / "data").resolve())]


def _server_environment(root: Path) -> Mapping[str, str]:
    """Return the variables of the server: its account, and the images that it may show.

    Args:
        root: the raw root.
    """
    own = {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(root.resolve()),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_USERNAME": USER,
        "LABEL_STUDIO_PASSWORD": token(),
        "LABEL_STUDIO_USER_TOKEN": token(),
        # Nothing is sent to anybody.
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    return {**os.environ, **own}


def start(root: Path, port: int) -> int:
    """Run the server until it is stopped; return its exit status.

    Args:
        root: the raw root, whose images it shows.
        port: where it listens.
    """
    program = install()
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    environment = _server_environment(root)
    print(f"Label Studio: http://{HOST}:{port}, user {USER}, password in {TOKEN_FILE}", flush=True)
    print("Ctrl-C stops it; labels are kept", flush=True)
    return subprocess.run(_server_command(program, port), check=False, env=environment).returncode
