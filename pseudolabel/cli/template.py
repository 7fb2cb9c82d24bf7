"""The pipeline files of a project: where they come from, and what they look like in it.

This repository is the template: the wheel carries the same files. A project has no code of the
library, so that its stages depend on one file with the library's version instead of packages.
"""

from __future__ import annotations

import re
from pathlib import Path

import pseudolabel

VERSION_FILE = "pseudolabel.version"
"""In a project: name and version of the library, which every stage depends on."""
_FOLDERS = ("stages", "rounds", "extras", "presets", "configs", ".dvc/plots", "folds/models")
_READMES = ("review/gold/README.md", "teachers/README.md", "teachers/round_0/README.md")
_FILES = ("dvc.yaml", ".dvcignore", ".gitignore", *_READMES)
_SUFFIXES = (".py", ".yaml", ".json", ".md")
_CODE_DEPENDENCIES = re.compile(r"(?:^ *- pseudolabel/\w+\n)+", re.MULTILINE)


def template_folder() -> Path:
    """Return the folder of the pipeline files: in the installed wheel, or this repository."""
    package = Path(pseudolabel.__file__).parent
    installed = package / "template"
    return installed if installed.is_dir() else package.parent


def pipeline_files() -> dict[str, str]:
    """Return the text of each pipeline file of a project, by its path in the project."""
    folder = template_folder()
    paths = [folder / name for name in _FILES]
    for name in _FOLDERS:
        paths += [path for path in (folder / name).rglob("*") if path.suffix in _SUFFIXES]
    files = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(paths)}
    for name, text in files.items():
        if name.endswith("dvc.yaml"):
            files[name] = _depend_on_version(text)
    return files | {VERSION_FILE: version_text()}


def version_text() -> str:
    """Return the content of the version file."""
    return f"pseudolabel {pseudolabel.__version__}\n"


def _depend_on_version(text: str) -> str:
    """Return a dvc.yaml whose stages depend on the version file instead of packages."""

    def version_line(match: re.Match[str]) -> str:
        indent = match[0][: match[0].index("-")]
        return f"{indent}- {VERSION_FILE}\n"

    return _CODE_DEPENDENCIES.sub(version_line, text)
