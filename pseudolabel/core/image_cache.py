"""Images of buckets, kept on this machine by content hash, up to a number of bytes.

All projects of a user share the folder. It is $PSEUDOLABEL_CACHE, or else the system's folder for
caches. It must be on a disk of this machine: the index is an SQLite file.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from pseudolabel.core.files import hash_bytes

FOLDER = "PSEUDOLABEL_CACHE"
"""The variable with the folder."""


def limit_cache(size: int) -> None:
    """Set the bytes that the cache may have; the images that came first are removed first."""
    _cache(_folder()).reset("size_limit", size)
    _cache(_folder()).cull()


def cached_image(digest: str) -> bytes | None:
    """Return the content of an image; None if it is not in the cache, or damaged there."""
    content = _cache(_folder()).get(digest)
    return content if isinstance(content, bytes) and hash_bytes(content) == digest else None


def keep_image(digest: str, content: bytes) -> None:
    """Put an image into the cache, under its content hash."""
    _cache(_folder()).set(digest, content)


def _folder() -> Path:
    """Return the folder of the cache."""
    return Path(os.environ.get(FOLDER) or user_cache_dir("pseudolabel")) / "images"


@cache
def _cache(folder: Path) -> Any:
    from diskcache import Cache, Disk  # noqa: PLC0415 - only those with a bucket wait for it
    from diskcache.core import MODE_BINARY, MODE_RAW  # noqa: PLC0415

    class BytesAlone(Disk):  # type: ignore[misc]
        """Keeps bytes; it does not unpickle what somebody else has put into the folder."""

        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
            is_bytes = mode in (MODE_RAW, MODE_BINARY)
            return super().fetch(mode, filename, value, read) if is_bytes else b""

    # The entry that came first goes first: to note each use would make each reading a writing.
    return Cache(str(folder), disk=BytesAlone, eviction_policy="least-recently-stored")
