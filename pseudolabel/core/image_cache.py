"""Images of buckets, kept on this machine by content hash, up to a number of bytes.

All projects of a user share the folder. It is $PSEUDOLABEL_CACHE, or else the system's folder for
caches. It must be on a disk of this machine: the index is an SQLite file.

A cache that cannot be used costs time alone: images are then read from the bucket each time.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from platformdirs import user_cache_dir

from pseudolabel.core.errors import BucketError
from pseudolabel.core.files import hash_bytes

FOLDER = "PSEUDOLABEL_CACHE"
"""The variable with the folder."""
_FIRST_LIMIT = 50_000_000_000
"""Bytes of a new cache until `limit_cache` sets another number."""

_OPENING = Lock()

Result = TypeVar("Result")


def limit_cache(size: int) -> None:
    """Set the bytes that the cache may have; the images that came first are removed first.

    Raises:
        BucketError: the cache cannot be used.
    """
    from diskcache import Timeout  # noqa: PLC0415 - only those with a bucket wait for it

    try:
        opened = _open_cache()
        opened.reset("size_limit", size)
        opened.cull()
    except (OSError, sqlite3.Error, Timeout) as error:
        raise BucketError(
            f"{_describe(error)}: remove it, or set {FOLDER} to another folder"
        ) from error


def cached_image(digest: str) -> bytes | None:
    """Return the content of an image; None if it is not in the cache, or damaged there."""
    content = _tolerant(lambda: _open_cache().get(digest))
    return content if isinstance(content, bytes) and hash_bytes(content) == digest else None


def keep_image(digest: str, content: bytes) -> None:
    """Put an image into the cache, under its content hash."""
    _tolerant(lambda: _open_cache().set(digest, content))


def _tolerant(work: Callable[[], Result]) -> Result | None:
    """Return what some work with the cache returns; None, with a warning, if it fails."""
    from diskcache import Timeout  # noqa: PLC0415 - only those with a bucket wait for it

    try:
        return work()
    except (OSError, sqlite3.Error, Timeout) as error:
        _warn(_describe(error))
        return None


def _describe(error: Exception) -> str:
    found = str(error) or type(error).__name__
    return f"{_folder()}: expected a folder for a cache of images, found {found!r}"


@cache
def _warn(text: str) -> None:
    """Print a warning; the same one is printed once per process."""
    print(f"warning: {text}: images are read from the bucket", file=sys.stderr, flush=True)


def _folder() -> Path:
    return Path(os.environ.get(FOLDER) or user_cache_dir("pseudolabel")) / "images"


def _open_cache() -> Any:
    # Many threads read images: the first one makes the folder and its tables.
    with _OPENING:
        return _cache(_folder())


@cache
def _cache(folder: Path) -> Any:
    from diskcache import Cache, Disk  # noqa: PLC0415 - only those with a bucket wait for it
    from diskcache.core import MODE_BINARY, MODE_RAW  # noqa: PLC0415

    class BytesAlone(Disk):  # type: ignore[misc]
        """Keeps bytes; it does not unpickle what somebody else has put into the folder."""

        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
            is_bytes = mode in (MODE_RAW, MODE_BINARY)
            return super().fetch(mode, filename, value, read) if is_bytes else b""

    limit = {} if (folder / "cache.db").exists() else {"size_limit": _FIRST_LIMIT}
    # The entry that came first goes first: to note each use would make each reading a writing.
    return Cache(str(folder), disk=BytesAlone, eviction_policy="least-recently-stored", **limit)
