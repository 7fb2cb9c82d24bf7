"""Scratch folders: unfinished and finished work that survives a kill.

Each set of inputs has a folder of its own, named after a hash of the inputs. If an input changes,
the stage starts again in a new folder. The unfinished work in the old folder is abandoned.

A finished result stays in its scratch folder until another stage finishes one. A stage that is
killed after its last step, before DVC has recorded the output, takes the result from there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import orjson

from pseudolabel.core.errors import BusyError
from pseudolabel.core.files import (
    hash_bytes,
    hash_file,
    hash_folder,
    read_json,
    remove,
    write_json,
    written_aside,
)
from pseudolabel.core.locks import LOCK, exclusive_lock

SCRATCH = Path(".scratch")
"""The folder of unfinished work. DVC deletes the outputs of a stage before it runs."""
_FINISHED = "finished"
"""The folder of a finished result, inside a scratch folder."""
_MANIFEST = "manifest.json"
"""Inside a finished result: its files by hash, and the code by hash; written last."""


def hash_inputs(inputs: Any, files: list[Path]) -> str:
    """Return one hash of all inputs of a piece of work: the key of its scratch folder.

    A changed key abandons unfinished work, so leave out inputs that do not change the result.

    Args:
        inputs: parameters and other values, as JSON values.
        files: files and folders, which are hashed by their content.
    """
    hashes = [hash_folder(file) if file.is_dir() else hash_file(file) for file in files]
    return hash_bytes(orjson.dumps([inputs, hashes], option=orjson.OPT_SORT_KEYS))


def scratch_folder(stage: str, inputs: Any, files: list[Path]) -> Path:
    """Return the folder of a stage's unfinished work, and create it if it does not exist.

    The same inputs give the same folder, so a stage that was killed continues there. A changed
    input gives a new, empty folder and abandons the unfinished work in the old one.

    Args:
        stage: name of the stage.
        inputs: parameters and other values, as JSON values.
        files: files and folders, which are hashed by their content.
    """
    folder = SCRATCH / stage / hash_inputs(inputs, files)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def output_lock(output: Path) -> AbstractContextManager[None]:
    """Return the lock of a stage's output.

    Raises:
        BusyError: when it is entered, if another process writes this output.
    """
    return exclusive_lock(SCRATCH / "locks" / output, f"writing {output}")


def scratch_lock(scratch: Path) -> AbstractContextManager[None]:
    """Return the lock of a scratch folder.

    Raises:
        BusyError: when it is entered, if another process works in this folder.
    """
    return exclusive_lock(scratch, f"working in {scratch}")


def workers_lock(scratch: Path) -> AbstractContextManager[None]:
    """Return the lock of the processes that torchrun starts for a scratch folder.

    They can outlive the stage that started them: the next run must not start others beside them.

    Raises:
        BusyError: when it is entered, if such processes still work.
    """
    return exclusive_lock(scratch / "workers", f"training in {scratch}")


def publish_result(scratch: Path, output: Path, make: Callable[[], Iterable[str]]) -> None:
    """Write the result of a scratch folder to `output`, which appears whole, by one rename.

    Args:
        scratch: the scratch folder.
        output: the folder to write.
        make: does the work in the scratch folder, and returns the paths below it of the files and
            folders that are its result. It is not called if an earlier run finished the result,
            and neither the code nor any file of the result has changed.

    Raises:
        BusyError: another process works in the scratch folder.
    """
    with scratch_lock(scratch):
        finished = scratch / _FINISHED
        if not _is_whole(finished):
            remove(finished)
            _finish(scratch, make())
        with written_aside(output) as aside:
            link_tree(finished, aside)
            (aside / _MANIFEST).unlink()
    _remove_earlier_results(finished)


def _finish(scratch: Path, names: Iterable[str]) -> None:
    """Collect a result in the folder `finished`, and remove everything else."""
    with written_aside(scratch / _FINISHED) as aside:
        aside.mkdir()
        for name in names:
            # Linked, not moved: a kill here must not lose the work.
            link_tree(scratch / name, aside / Path(name).name)
        write_json(aside / _MANIFEST, _describe_result(aside))
    for path in scratch.iterdir():
        if path.name not in (_FINISHED, LOCK):
            remove(path)


def _remove_earlier_results(finished: Path) -> None:
    """Remove all finished results but this one: DVC has recorded them."""
    for other in SCRATCH.glob(f"*/*/{_FINISHED}"):
        if other != finished:
            with suppress(BusyError), scratch_lock(other.parent):
                remove(other.parent)


def hash_code() -> str:
    """Return one hash of this package's code."""
    modules = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hash_bytes("".join(map(hash_file, modules)).encode())


def _is_whole(finished: Path) -> bool:
    """Return whether a finished result has exactly the files of its manifest."""
    manifest = finished / _MANIFEST
    if not manifest.is_file():
        return False
    return bool(read_json(manifest) == _describe_result(finished))


def _describe_result(folder: Path) -> dict[str, Any]:
    """Return the hash of this package's code, and the size and hash of each file by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    described = {
        path.relative_to(folder).as_posix(): [path.stat().st_size, hash_file(path)]
        for path in files
        if path != folder / _MANIFEST
    }
    return {"code": hash_code(), "files": described}


def link_tree(source: Path, target: Path) -> None:
    """Link or copy a file, or a folder with all its files."""
    if not source.is_dir():
        _link_or_copy(source, target)
        return
    # Not shutil.copytree: it goes on after a full disk, and tells of it in an error of its own.
    target.mkdir()
    for path in source.iterdir():
        link_tree(path, target / path.name)


def _link_or_copy(source: Path, target: Path) -> None:
    """Link a file, which costs no space; copy it where a link is not possible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
