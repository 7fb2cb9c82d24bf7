"""Atomic writes, hashes of content, and JSON with stable bytes."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from pseudolabel.core.dvc_cache import is_in_dvc_cache


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if no error is raised.

    The path may be a file or a folder. `path` never holds a half-written file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.aside")
    remove(aside)
    try:
        yield aside
        if aside.is_dir():
            remove(path)
        aside.replace(path)
    finally:
        remove(aside)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON with sorted keys, atomically."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    with written_aside(path) as aside:
        aside.write_bytes(orjson.dumps(value, option=options))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share their keys as CSV, atomically; without rows, an empty line."""
    with written_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_json(path: Path) -> Any:
    """Return the value of a JSON file that this project wrote."""
    return orjson.loads(path.read_bytes())


def hash_bytes(content: bytes) -> str:
    """Return the 128-bit BLAKE2b hash of bytes as hex."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def hash_file(path: Path) -> str:
    """Return the 128-bit BLAKE2b hash of a file's content as hex."""
    return _hash_content(path, hashlib.blake2b(digest_size=16))


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content as hex."""
    return _hash_content(path, hashlib.sha256())


def _hash_content(path: Path, digest: Any) -> str:
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return str(digest.hexdigest())


def hash_folder(folder: Path) -> str:
    """Return one hash of the names and contents of all files in a folder and its subfolders."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [[path.relative_to(folder).as_posix(), hash_file(path)] for path in files]
    return hash_bytes(orjson.dumps(rows))


def path_inside(root: Path, name: str) -> Path | None:
    """Return root/name, or None if the name is absolute or leads out of the root.

    Links are resolved: a link that leads out of the root gives None, unless DVC made it, and it
    leads to a file in the cache of DVC.
    """
    path = root / name
    if not name or "\0" in name or name.endswith("/") or Path(name).is_absolute():
        return None
    target = path.resolve()
    if target.is_relative_to(root.resolve()):
        return path
    leaves_by_name = Path(os.path.normpath(name)).parts[:1] == (os.pardir,)
    return path if not leaves_by_name and is_in_dvc_cache(target, root) else None


def describe_outside(root: Path, name: str) -> str:
    """Return what is wrong with a name that `path_inside` refuses: its link, or the name itself."""
    parts = Path(name).parts
    if "\0" not in name and os.pardir not in parts and not Path(name).is_absolute():
        for end in range(1, len(parts) + 1):
            link = Path(*parts[:end])
            if (root / link).is_symlink():
                return f"the link {link.as_posix()!r} to {str((root / link).readlink())!r}"
    return repr(name)
