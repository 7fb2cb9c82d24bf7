"""The files of a raw root in a bucket: its listing, and a local copy of all but the images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from pseudolabel.core.bucket import BucketObject, list_objects, read_object
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import hash_bytes, path_inside, read_json, write_json, written_aside
from pseudolabel.formats.image_files import IMAGES, is_junk
from pseudolabel.manifest.file_states import FileStates

_ETAGS = ".etags.json"
"""In the local folder: the ETag of each file that was copied there."""
_AT_ONCE = 32
"""Files that are copied at the same time."""
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
    faults = [*_name_faults(objects, local), *_folder_faults(labels)]
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
        if str(PurePosixPath(one.name)) != one.name or path_inside(local, one.name) is None
    ]


def _folder_faults(labels: Sequence[BucketObject]) -> list[tuple[str, str, str]]:
    """Return a fault for each file that is also the folder of another one."""
    folders = {str(parent) for one in labels for parent in PurePosixPath(one.name).parents}
    both = [one.name for one in labels if one.name in folders]
    return [(repr(name), "a file or a folder", "both") for name in both]


def _copy(address: str, local: Path, labels: Sequence[BucketObject]) -> None:
    """Make the local folder have these files, and no other ones of earlier copies."""
    etags = local / _ETAGS
    before = read_json(etags) if etags.is_file() else {}
    wanted = {one.name: one.etag for one in labels}
    for name in before.keys() - wanted.keys():
        (local / name).unlink(missing_ok=True)
    missing = [
        name
        for name, etag in wanted.items()
        if before.get(name) != etag or not (local / name).is_file()
    ]
    with ThreadPoolExecutor(_AT_ONCE) as executor:
        contents = executor.map(lambda name: read_object(f"{address}/{name}"), missing)
        progress = tqdm(missing, f"labels of {address}", mininterval=2, disable=not missing)
        for name, content in zip(progress, contents, strict=True):
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            with written_aside(local / name) as aside:
                aside.write_bytes(content)
    write_json(etags, wanted)


def _place(name: str) -> list[tuple[int, bytes]]:
    """Return where a file comes in its root: the files of a folder before its subfolders."""
    *folders, file = name.encode().split(b"/")
    return [*((1, folder) for folder in folders), (0, file)]


def _number(etag: str) -> int:
    return int(hash_bytes(etag.encode())[:_ETAG_DIGITS], 16)
