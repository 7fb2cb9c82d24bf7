"""`pseudolabel upgrade`: bring the pipeline files of a project to the installed version."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from pathlib import Path

from pseudolabel.cli.template import VERSION_FILE, pipeline_files, version_text
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import written_aside

DESCRIPTION = (
    "Show how the pipeline files of the project in this folder differ from those of the "
    "installed version, and ask before writing them. params.yaml stays as it is."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("--yes", action="store_true", help="write without asking")


def run(arguments: argparse.Namespace) -> int:
    """Show the differences, ask, and write the files; return 1 if the user says no.

    Raises:
        DataError: this folder is not a project.
    """
    project = Path()
    version = project / VERSION_FILE
    if not version.is_file():
        expected = "a project, made by `pseudolabel init`"
        raise DataError([Fault(VERSION_FILE, "", expected, "no such file in this folder")])
    changed = {
        name: text for name, text in pipeline_files().items() if _read(project / name) != text
    }
    if not changed:
        print(f"up to date: {version_text().strip()}")
        return 0
    for name, text in changed.items():
        print("\n".join(_difference(name, _read(project / name), text)))
    if not arguments.yes and input(f"write {len(changed)} files? [y/N] ").strip().lower() != "y":
        print("nothing was written")
        return 1
    for name, text in changed.items():
        with written_aside(project / name) as aside:
            aside.write_text(text, encoding="utf-8")
    print(f"written: {len(changed)} files, {version_text().strip()}")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _difference(name: str, old: str, new: str) -> Iterator[str]:
    lines = old.splitlines(), new.splitlines()
    return difflib.unified_diff(*lines, f"{name} (project)", f"{name} (new)", lineterm="")
