"""Files written aside and then renamed, hashes of content, JSON with stable bytes."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

SCRATCH = Path(".scratch")
"""Where work in progress survives a kill: DVC deletes a stage's outputs before it runs."""

LOCK = "lock"
"""The file of a scratch folder that the process working there holds."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` when all went well."""
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
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, aside and then renamed."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    with written_aside(path) as aside:
        aside.write_bytes(orjson.dumps(value, option=options))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of equal keys as CSV, aside and then renamed; without rows, an empty file."""
    with written_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_json(path: Path) -> Any:
    """Return the value of a JSON file that this project wrote."""
    return orjson.loads(path.read_bytes())


def hash_bytes(content: bytes) -> str:
    """Return the 128-bit BLAKE2b hash of some bytes as hex."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def hash_file(path: Path) -> str:
    """Return the 128-bit BLAKE2b hash of a file's content as hex."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def hash_folder(folder: Path) -> str:
    """Return one hash of the names and contents of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [[path.relative_to(folder).as_posix(), hash_file(path)] for path in files]
    return hash_bytes(orjson.dumps(rows))


def key_of(inputs: Any, files: list[Path]) -> str:
    """Return one hash of all that some work depends on.

    Args:
        inputs: whatever the work depends on, as JSON values.
        files: the files and folders it depends on, by their content.
    """
    hashes = [hash_folder(file) if file.is_dir() else hash_file(file) for file in files]
    return hash_bytes(orjson.dumps([inputs, hashes], option=orjson.OPT_SORT_KEYS))


def scratch_folder(stage: str, inputs: Any, files: list[Path]) -> Path:
    """Return the folder of a stage's unfinished work, one a set of inputs, as `key_of` takes them.

    Args:
        stage: name of the stage.
        inputs: whatever the work depends on, as JSON values.
        files: the files and folders it depends on, by their content.
    """
    folder = SCRATCH / stage / key_of(inputs, files)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def sole_worker(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, waiting for a process that still works there (one left by a kill)."""
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process works in {folder}: waiting for it to end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def move_finished(folder: Path, output: Path, names: list[str]) -> None:
    """Move the named files of a scratch folder into `output`, then drop the scratch folder."""
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        for name in names:
            shutil.move(folder / name, aside / name)
    shutil.rmtree(folder)


def inside(root: Path, name: str) -> Path | None:
    """Return root/name, or None where the name is absolute or leaves the root, links included."""
    path = root / name
    if not name or "\0" in name or name.endswith("/") or Path(name).is_absolute():
        return None
    return path if path.resolve().is_relative_to(root.resolve()) else None
