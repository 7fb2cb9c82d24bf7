"""Reading files of users: never a pipe or a device, at which reading could wait for ever."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


class SpecialFileError(OSError):
    """A path is a pipe, a socket or a device."""

    def __str__(self) -> str:
        """Return the reason without a number."""
        return str(self.strerror)


def read_content(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        SpecialFileError: the path is a pipe, a socket or a device.
        OSError: the file cannot be read.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SpecialFileError(errno.EINVAL, "a pipe, a socket or a device")
    return path.read_bytes()


def read_utf8(path: Path) -> str:
    """Return the text of a regular file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: the file cannot be read, or is no regular file.
        UnicodeDecodeError: the file has another encoding.
    """
    return read_content(path).decode("utf-8-sig")
