"""Raw roots in a bucket of S3, such as s3://bucket/folder, read by fsspec.

A root in a bucket has a local folder in .scratch/s3. The stage `manifest` copies all but the images
into it. A path in this folder without a file there stands for the object in the bucket.
Keys and the address of the server come from AWS's own files and variables, never from parameters.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import BucketError
from pseudolabel.core.workdir import SCRATCH

_SCHEME = "s3://"
_LOCAL = SCRATCH / "s3"
AT_ONCE = 32
"""Objects that are read at the same time."""
_INSTALL = "pip install 'pseudolabel[s3]'"
_HINT = "look at the address, the keys (aws configure) and AWS_ENDPOINT_URL"


@dataclass(frozen=True)
class BucketObject:
    """An object of a bucket.

    Attributes:
        name: its path relative to the root.
        size: bytes.
        etag: what the server changes with each change of the content.
    """

    name: str
    size: int
    etag: str


def raw_root(address: Any) -> Any:
    """Return the folder of a raw root: that of a bucket's root in .scratch, or the one given.

    Args:
        address: a path, or `s3://bucket/folder`; another value is returned as it is.

    Raises:
        ValueError: the address has no bucket, or a part that no folder can have.
    """
    if not str(address).startswith(_SCHEME):
        return Path(address) if isinstance(address, str) else address
    parts = str(address).removeprefix(_SCHEME).split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise ValueError("an address such as s3://bucket/folder, without a slash at its end")
    return _LOCAL.joinpath(*parts)


def address_of(path: Path) -> str | None:
    """Return the address of the object or root that a path stands for; None if it is no such path.

    Args:
        path: a path as `raw_root` makes them, or inside of one; also with the working folder.
    """
    local = _LOCAL.absolute() if path.is_absolute() else _LOCAL
    if not path.is_relative_to(local):
        return None
    return _SCHEME + path.relative_to(local).as_posix()


def shown_path(path: Path) -> str:
    """Return a path for a message: the address, if it stands for an object."""
    return address_of(path) or str(path)


def read_object(address: str) -> bytes:
    """Return the content of an object.

    Raises:
        FileNotFoundError: there is no such object.
        BucketError: the bucket cannot be read.
    """
    try:
        content: bytes = _file_system().cat_file(address)
    except FileNotFoundError as error:
        bucket = address.removeprefix(_SCHEME).partition("/")[0]
        if not _file_system().exists(bucket):
            raise BucketError(
                f"{_SCHEME}{bucket}: expected a bucket, found none: {_HINT}"
            ) from error
        raise FileNotFoundError(errno.ENOENT, "no such object", address) from error
    except Exception as error:
        raise _plain(address, error) from error
    return content


def list_objects(address: str) -> Iterator[BucketObject]:
    """Yield all objects in a folder of a bucket, and in its subfolders.

    Raises:
        BucketError: the bucket cannot be read.
    """
    start = len(address.removeprefix(_SCHEME)) + 1
    try:
        found = _file_system().find(address, detail=True)
    except Exception as error:
        raise _plain(address, error) from error
    for path, facts in found.items():
        # Some programs write an empty object in place of a folder.
        if path[start:] and not path.endswith("/"):
            yield BucketObject(path[start:], facts["size"], facts["ETag"])


def _file_system() -> Any:
    """Return the file system; fsspec keeps one per process.

    s3fs tries five times. botocore would try five times each, so that a server that does not answer
    would be waited for half an hour.
    """
    import fsspec  # noqa: PLC0415 - only those with a bucket wait for it

    try:
        return fsspec.filesystem(
            "s3",
            use_listings_cache=False,
            # Else each object would be asked for its size first.
            max_concurrency=1,
            config_kwargs={"retries": {"max_attempts": 1}, "max_pool_connections": AT_ONCE},
        )
    except ImportError as error:
        raise BucketError(f"{_SCHEME}: a package for S3 is missing: {_INSTALL}") from error


def _plain(address: str, error: Exception) -> BucketError:
    if isinstance(error, BucketError):
        return error
    found = " ".join(str(error).split()) or type(error).__name__
    return BucketError(f"{address}: expected a bucket that can be read, found {found!r}: {_HINT}")
