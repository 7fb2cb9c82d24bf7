"""Which files may be a model config. A Python config is code: it runs when it is read.

So it is read from two places only: the zoos of the three packages, and the configs/ folder of the
project.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mmengine.config import Config

import pseudolabel
from pseudolabel.core.errors import ModelError
from pseudolabel.models import PACKAGES

_OWN = "configs"
_MOST_BASES = 100


def config_path(name: str, scope: str) -> Path:
    """Return the file of a model config, after checking it and the files it is based on.

    Args:
        name: a zoo name (`mmdet::rtmdet/...py`) or a path.
        scope: the package of the task's models.

    Raises:
        ModelError: there is no such file, or it or one of its bases lies elsewhere.
    """
    prefix = f"{scope}::"
    zoo = zoo_folder(scope)
    path = zoo / name.removeprefix(prefix) if name.startswith(prefix) else Path(name)
    if "\0" in name or not path.is_file():
        raise ModelError(
            f"model.config: expected a zoo name ({prefix}<folder>/<file>.py) or a path, "
            f"found {name!r}"
        )
    folders = [zoo] if name.startswith(prefix) else _allowed_folders()
    _refuse_elsewhere(path, folders, f"model.config {name}")
    _refuse_bases_elsewhere(path, name)
    return path


def zoo_folder(scope: str) -> Path:
    """Return the folder of a package's zoo of configs."""
    return Path(str(import_module(scope).__file__)).parent / ".mim" / "configs"


def _allowed_folders() -> list[Path]:
    """Return the folders whose Python configs are read: configs/, and those of this package."""
    package = Path(str(pseudolabel.__file__)).parent
    return [Path(_OWN), package.parent / _OWN, package / "template" / _OWN]


def _refuse_elsewhere(path: Path, folders: list[Path], name: str) -> None:
    """Raise if a file is outside of all folders, once its links are followed."""
    target = path.resolve()
    if not any(target.is_relative_to(folder.resolve()) for folder in folders):
        raise ModelError(
            f"{name}: expected a file of the zoo or in {_OWN}/, because a config is code; "
            f"found {target}"
        )


def _refuse_bases_elsewhere(path: Path, name: str) -> None:
    """Raise if a config is based, directly or not, on a file outside of zoos and configs/."""
    folders = [
        *_allowed_folders(),
        *(zoo_folder(scope) for scope in sorted(set(PACKAGES.values()))),
    ]
    left, seen = [path], {path.resolve()}
    while left:
        file = left.pop()
        try:
            bases = [
                Path(Config._get_cfg_path(base, str(file))[0])  # noqa: SLF001 - as mmengine reads it
                for base in Config._get_base_files(str(file))  # noqa: SLF001
            ]
        except Exception as error:
            raise ModelError(f"model.config {name}: {file}: {error}") from error
        for base in bases:
            _refuse_elsewhere(base, folders, f"model.config {name}: _base_ of {file}")
            if base.resolve() not in seen:
                seen.add(base.resolve())
                left.append(base)
        if len(seen) > _MOST_BASES:
            raise ModelError(f"model.config {name}: expected at most {_MOST_BASES} bases")
