"""The files of a raw root in a bucket: its listing, and a local copy of all but the images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import orjson
from tqdm import tqdm

from pseudolabel.core.bucket import AT_ONCE, BucketObject, list_objects, read_object
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import hash_bytes, path_inside, write_json, written_aside
from pseudolabel.core.regular_files import MOST_BYTES
from pseudolabel.core.workdir import output_lock
from pseudolabel.formats.image_files import IMAGES, is_junk
from pseudolabel.manifest.file_states import FileStates

_ETAGS = ".etags.json"
"""In the local folder: the ETag of each file that was copied there."""
_VERSION = "?versionId="
"""In a name, it would ask for another version of the object."""
_LONGEST_NAME = 255
"""Bytes of the name of a file or folder."""
_ETAG_DIGITS = 15
"""Hexadecimal digits: the number is then below that of any time in nanoseconds since 2007."""


def read_bucket_states(address: str, local: Path) -> FileStates:
    """Return the states of all objects of a raw root, and copy all but the images here.

    The ETag of an object, as a number, is in place of the time of the last change.

    Args:
        address: the address of the root.
        local: its local folder. Of the files in it, only those that changed are copied again.

    Raises:
        DataError: there are no images, or objects have names that no file can have.
        BucketError: the bucket cannot be read.
    """
    listed = list_objects(address)
    objects = [one for one in listed if not any(map(is_junk, one.name.split("/")))]
    labels = [one for one in objects if not one.name.startswith(f"{IMAGES}/")]
    if len(labels) == len(objects):
        raise DataError([Fault(address, IMAGES, "a folder of images", "none")])
    faults = [*_name_faults(objects, local), *_folder_faults(objects), *_size_faults(labels)]
    if faults:
        raise DataError([Fault(address, *fault) for fault in faults])
    _copy(address, local, labels)
    objects.sort(key=lambda one: _place(one.name))
    states = [(one.size, _number(one.etag), 0) for one in objects]
    names = [os.fsencode(one.name) for one in objects]
    return FileStates(names, np.array(states, np.int64), np.zeros(len(names), np.bool_))


def _name_faults(objects: Sequence[BucketObject], local: Path) -> list[tuple[str, str, str]]:
    """Return a fault for each name that leads out of the root, or that a path writes otherwise."""
    return [
        (repr(one.name), "the name of a file", "another one")
        for one in objects
        if str(PurePosixPath(one.name)) != one.name
        or _VERSION in one.name
        or any(len(part.encode()) > _LONGEST_NAME for part in one.name.split("/"))
        or path_inside(local, one.name) is None
    ]


def _folder_faults(objects: Sequence[BucketObject]) -> list[tuple[str, str, str]]:
    """Return a fault for each file that is also the folder of another one."""
    folders = {one.name.rpartition("/")[0] for one in objects}
    folders |= {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
    both = [one.name for one in objects if one.name in folders]
    return [(repr(name), "a file or a folder", "both") for name in both]


def _size_faults(labels: Sequence[BucketObject]) -> list[tuple[str, str, str]]:
    """Return a fault for each file that is too large to be read whole."""
    large = [one for one in labels if one.size > MOST_BYTES]
    expected = f"at most {MOST_BYTES:,} bytes"
    return [(repr(one.name), expected, f"{one.size:,}") for one in large]


def _copy(address: str, local: Path, labels: Sequence[BucketObject]) -> None:
    """Make the local folder have these files, and no other ones.

    Raises:
        BusyError: another process copies files of this root.
    """
    before = _read_etags(local)
    wanted = {one.name: one.etag for one in labels}
    present = {path.relative_to(local).as_posix() for path in _visible_files(local)}
    missing = [
        name for name, etag in wanted.items() if before.get(name) != etag or name not in present
    ]
    if not missing and present == wanted.keys():
        return
    with output_lock(local):
        _remove(local, present - wanted.keys())
        _download(address, local, missing)
        write_json(local / _ETAGS, wanted)


def _read_etags(local: Path) -> dict[str, str]:
    """Return the ETag of each file that was copied; none if that is not known."""
    try:
        etags = orjson.loads((local / _ETAGS).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        # Damaged, for example by a power cut: all files are copied again.
        return {}
    return etags if isinstance(etags, dict) else {}


def _visible_files(local: Path) -> Iterator[Path]:
    """Yield the files of the local folder, without hidden ones."""
    for path in local.rglob("*"):
        hidden = any(map(is_junk, path.relative_to(local).parts))
        if not hidden and (path.is_symlink() or not path.is_dir()):
            yield path


def _remove(local: Path, names: AbstractSet[str]) -> None:
    """Remove files of the local folder, and the folders that are empty then."""
    for name in names:
        (local / name).unlink(missing_ok=True)
    folders = {parent for name in names for parent in (local / name).parents}
    for folder in sorted(folders, reverse=True):
        if folder.is_relative_to(local) and folder != local and not any(folder.iterdir()):
            folder.rmdir()


def _download(address: str, local: Path, missing: Sequence[str]) -> None:
    """Copy files of the bucket into the local folder."""
    with ThreadPoolExecutor(AT_ONCE) as executor:
        contents = executor.map(lambda name: read_object(f"{address}/{name}"), missing)
        progress = tqdm(missing, f"labels of {address}", mininterval=2, disable=not missing)
        for name, content in zip(progress, contents, strict=True):
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            with written_aside(local / name) as aside:
                aside.write_bytes(content)


def _place(name: str) -> list[tuple[int, bytes]]:
    """Return where a file comes in its root: the files of a folder before its subfolders."""
    *folders, file = name.encode().split(b"/")
    return [*((1, folder) for folder in folders), (0, file)]


def _number(etag: str) -> int:
    return int(hash_bytes(etag.encode())[:_ETAG_DIGITS], 16)
