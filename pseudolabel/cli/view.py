"""`python -m pseudolabel view`: show the report in a browser."""

from __future__ import annotations

import argparse
import webbrowser
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from pseudolabel.core.errors import DataError, Fault, MachineError
from pseudolabel.core.project import AUDIT, REPORT

DESCRIPTION = (
    "Serve report/ to this machine alone, and open it in a browser. The pages work without a "
    "server, too: open report/index.html."
)
_HOST = "127.0.0.1"
_PORT = 8765
_AUDIT_URL = f"/{AUDIT.as_posix()}/"
"""The address of the audit of gold, to which the report links."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "--port", type=int, default=_PORT, help=f"port; 0 for any free one (default: {_PORT})"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")


def run(arguments: argparse.Namespace) -> int:
    """Serve the report until the command is interrupted.

    Raises:
        DataError: there is no report.
        MachineError: the port cannot be used.
    """
    if not (REPORT / "index.html").is_file():
        expected = "the report, which `dvc repro` writes"
        raise DataError([Fault(str(REPORT), "", expected, "none")])
    with make_server(REPORT, AUDIT, arguments.port) as server:
        address = f"http://{_HOST}:{server.server_port}/"
        print(f"{REPORT}/ is shown at {address} until you press Ctrl-C", flush=True)
        if not arguments.no_browser:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def make_server(report: Path, audit: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of the report and of the audit, for this machine alone.

    Args:
        report: the folder of the report.
        audit: the folder of the audit, which may not exist.
        port: the port; 0 for any free one.

    Raises:
        MachineError: the port cannot be used.
    """
    handler = partial(_Handler, audit=audit, directory=str(report))
    try:
        return ThreadingHTTPServer((_HOST, port), handler)
    except (OSError, OverflowError) as error:
        raise MachineError(f"port {port}: {error}: choose another one with --port") from error


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, audit: Path, directory: str) -> None:
        self.audit = audit
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        if not path.startswith(_AUDIT_URL):
            return super().translate_path(path)
        report, self.directory = self.directory, str(self.audit)
        try:
            return super().translate_path(path.removeprefix(_AUDIT_URL.rstrip("/")))
        finally:
            self.directory = report

    def send_head(self) -> BytesIO | None:
        # A page of another site could reach this server under a name that it chose itself.
        name = self.headers.get("Host", "").rpartition(":")[0]
        if name not in {_HOST, "localhost"}:
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()  # type: ignore[return-value]

    def list_directory(self, path: str) -> None:  # type: ignore[override]  # noqa: ARG002
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        # After `dvc repro` the same names have other contents.
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing about requests."""
