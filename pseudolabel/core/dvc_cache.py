"""The cache of DVC: with the cache type symlink, DVC's data are links into it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from threading import Lock
from unittest.mock import patch

from tqdm import tqdm

_DVC = ".dvc"
_CACHED_FILE = re.compile(r"(?:files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}")
"""Files of the cache, named after their hashes. A config may name any folder as the cache: no other
file of that folder is trusted."""
_ONE_THREAD = Lock()
"""Images are read by several threads: one of them asks DVC."""


def is_in_dvc_cache(target: Path, folder: Path) -> bool:
    """Return whether a file is in the cache of a DVC repository.

    The repository is the one that contains the folder, or the one that contains the working folder.

    Args:
        target: the resolved path of the file.
        folder: the folder with links to such files.
    """
    with _ONE_THREAD:
        folders = _cache_folders(folder.resolve(), Path.cwd())
    return any(
        target.is_relative_to(cached)
        and _CACHED_FILE.fullmatch(target.relative_to(cached).as_posix())
        for cached in folders
    )


@cache
def _cache_folders(*inside: Path) -> tuple[Path, ...]:
    """Return the cache folders of the DVC repositories that contain some folders."""
    found = []
    for folder in inside:
        candidates = (parent / _DVC for parent in (folder, *folder.parents))
        dvc_folder = next((path for path in candidates if path.is_dir()), None)
        if dvc_folder is not None:
            found.append(_cache_of(dvc_folder))
    return tuple(path for path in found if path is not None)


def _cache_of(dvc_folder: Path) -> Path | None:
    """Return the cache folder of a DVC repository, by its folder .dvc; None if DVC cannot tell."""
    # DVC gives progress bars another lock when it is imported. A bar that is drawn at that time by
    # another thread would release a lock that it does not hold.
    lock = tqdm.get_lock()  # type: ignore[no-untyped-call]
    with lock, patch.object(tqdm, "set_lock"):
        from dvc.config import Config  # noqa: PLC0415 - only roots with such links wait for it
        from dvc.exceptions import DvcException  # noqa: PLC0415

        try:
            folder = Config(str(dvc_folder))["cache"].get("dir") or dvc_folder / "cache"
        except (DvcException, OSError, ValueError):
            return None
    return Path(folder).resolve()
