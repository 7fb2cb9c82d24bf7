"""`pseudolabel init`: make a new project, in which `dvc repro` runs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pseudolabel.cli.raw_root import raw_root_argument
from pseudolabel.cli.template import pipeline_files
from pseudolabel.core.bucket import address_of
from pseudolabel.core.errors import DataError, Fault, PseudolabelError
from pseudolabel.core.files import written_aside
from pseudolabel.core.tasks import TASKS
from pseudolabel.params.presets import use

PARAMS, README = "params.yaml", "README.md"
README_TEXT = """# {name}

A project of pseudolabel: few labels, many images.

    dvc repro                  # build the rounds, print the table of rounds
    cat report/rounds.md       # print it again
    dvc exp run -S round=3     # build one more round
    git commit -am "Round 2"   # then `dvc metrics diff` compares with it
    pseudolabel check {data}
    pseudolabel upgrade        # new pipeline files, after an upgrade of the library

params.yaml has all parameters, each with a comment. The raw data is in {data}.
"""


DESCRIPTION = (
    "Make a project with pipeline files, params.yaml and a README; with git and DVC, if it "
    "is not part of a repository. `dvc repro` runs there."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("project", type=Path, help="the folder of the project")
    parser.add_argument("--task", choices=TASKS, required=True, help="the task of the project")
    parser.add_argument(
        "--data",
        type=raw_root_argument,
        help="the folder of the raw data, or s3://bucket/folder (default: a generated sample)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the project, and print the next commands.

    Raises:
        DataError: the folder has files of these names, or there is no such data folder.
    """
    project, data = arguments.project, arguments.data
    files = pipeline_files()
    _refuse_existing(project, [*files, PARAMS, README])
    bucket = None if data is None else address_of(data)
    if data is not None and bucket is None and not data.is_dir():
        raise DataError([Fault(str(data), "", "a folder of raw data", "none")])
    root = "data/sample" if data is None else bucket or os.path.relpath(data, project)
    project.mkdir(parents=True, exist_ok=True)
    _init_repository(project)
    for name, text in files.items():
        _write(project / name, text)
    preset = f"sample_{arguments.task}" if data is None else arguments.task
    use(preset, project / PARAMS, project / "presets", data_root=root)
    _write(project / README, README_TEXT.format(name=project.resolve().name, data=root))
    committed = _commit(project, [*files, PARAMS, README, ".dvc", ".dvcignore"])
    print(f"{project}: a project for {arguments.task}, with the data in {root}")
    if not committed:
        print("first: commit its files, because `dvc exp run` needs a commit")
    print(f"next: cd {project} && dvc repro")
    if data is not None and bucket is None and not (data / "gold.json").is_file():
        print(f"first: {data} has no gold.json; bring its labels in with `pseudolabel import`")
    return 0


def _commit(project: Path, names: list[str]) -> bool:
    """Commit the files of a project; return False if git cannot, for example without a name."""
    for command in (
        ["add", "--", *names],
        ["commit", "--quiet", "-m", "A new project", "--", *names],
    ):
        done = subprocess.run(
            ["git", *command],  # noqa: S607 - git is found by PATH
            cwd=project,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            return False
    return True


def _refuse_existing(project: Path, names: list[str]) -> None:
    """Raise if the folder has a file that would be written; nothing is changed then."""
    existing = [name for name in names if (project / name).exists()]
    if existing:
        expected = "a folder without this file"
        raise DataError([Fault(str(project / name), "", expected, "a file") for name in existing])


def _write(path: Path, text: str) -> None:
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _init_repository(project: Path) -> None:
    """Make the folder a git and a DVC repository, if it is not part of one."""
    inside = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"],  # noqa: S607 - git is found by PATH
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if inside.returncode:
        _run(["git", "init", "--quiet"], project)
    if not (project / ".dvc" / "config").is_file():
        top = Path(inside.stdout.strip()) if not inside.returncode else project.resolve()
        subfolder = [] if top.resolve() == project.resolve() else ["--subdir"]
        _run([sys.executable, "-m", "dvc", "init", "--quiet", *subfolder], project)
        _run([sys.executable, "-m", "dvc", "config", "core.autostage", "true"], project)
        _run([sys.executable, "-m", "dvc", "config", "core.analytics", "false"], project)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PseudolabelError(f"{' '.join(command)}: {lines[-1] if lines else 'failed'}")
