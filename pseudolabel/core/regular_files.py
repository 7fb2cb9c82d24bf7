"""Reading files of users: never a pipe or a device, at which reading could wait for ever."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from pseudolabel.core.bucket import address_of, read_object

MOST_BYTES = 4_000_000_000
"""Of a file that is read whole. Its content needs several times as much memory."""


class UnsuitableFileError(OSError):
    """A path is a pipe, a socket or a device, or a file is too large."""

    def __str__(self) -> str:
        """Return the reason without a number."""
        return str(self.strerror)


def read_content(path: Path) -> bytes:
    """Return the content of a regular file, or of an object in a bucket.

    Raises:
        UnsuitableFileError: the path is a pipe, a socket or a device, or the file is too large.
        OSError: the file cannot be read.
        BucketError: the bucket cannot be read.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        if (address := address_of(path)) is None:
            raise
        return read_object(address)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UnsuitableFileError(errno.EINVAL, "a pipe, a socket or a device")
    if status.st_size > MOST_BYTES:
        found = f"{status.st_size:,} bytes; more than {MOST_BYTES:,} cannot be read"
        raise UnsuitableFileError(errno.EFBIG, found)
    return path.read_bytes()


def read_utf8(path: Path) -> str:
    """Return the text of a regular file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: the file cannot be read, or is no regular file.
        UnicodeDecodeError: the file has another encoding.
    """
    return read_content(path).decode("utf-8-sig")
