"""Reads a checkpoint into tensors and plain values; no code of the file or of a package runs.

torch's restricted reader looks each name of a file up in a list. Here, the list is torch's own:
tensors, their parts, and plain containers. Whatever other packages add to that list is left out:
mmengine adds `getattr`, from which a file can reach any function.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

_PLAIN = (str, int, float, bool, bytes, bytearray, complex, type(None))
_TORCH_VALUES = (torch.Size, torch.dtype, torch.device)
_MOST_LEVELS = 100
_REASON = re.compile(r"WeightsUnpickler error: (.*)")
_UNKNOWN_NAME = re.compile(r"GLOBAL (\S+)")
_LOG_NAMES = (
    "builtins.getattr",
    "builtins.slice",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
)
"""What mmengine's training logs in a checkpoint consist of."""


class CheckpointError(Exception):
    """A checkpoint cannot be read.

    Attributes:
        is_foreign: whether the file has something that is not allowed; otherwise it is damaged.
    """

    def __init__(self, found: str, *, is_foreign: bool = False) -> None:
        super().__init__(found)
        self.is_foreign = is_foreign


class ArrayOrLog:
    """Stands where an array or a training log was: it takes anything, keeps and does nothing."""

    def __new__(cls, *_: Any) -> ArrayOrLog:  # noqa: D102, PYI034 - pickle calls it
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:  # noqa: D105 - pickle calls it
        pass


def read_plain(path: Path, *, skip_logs: bool) -> Any:
    """Return the content of a checkpoint: dicts, lists, tuples, sets, tensors and plain values.

    Args:
        path: the file.
        skip_logs: whether mmengine's training logs may be in it; ArrayOrLog stands for their parts.

    Raises:
        CheckpointError: the file is damaged, or has anything else.
        OSError: the file cannot be opened.
    """
    size = path.stat().st_size
    if not size:
        raise CheckpointError("an empty file")
    _refuse_compressed(path, size)
    with _only_known_names(skip_logs):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:
            # A damaged pickle fails in many ways; whatever it is, the file is of no use.
            raise _explain(error) from error
    try:
        return _Plain(size).convert(content, "")
    except RuntimeError as error:
        raise CheckpointError("a tensor that cannot be read", is_foreign=True) from error


@contextmanager
def _only_known_names(skip_logs: bool) -> Iterator[None]:
    """Let torch's reader know its own names alone, and stand-ins for the parts of logs."""
    added = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    if skip_logs:
        torch.serialization.add_safe_globals([(ArrayOrLog, name) for name in _LOG_NAMES])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(added)


def _refuse_compressed(path: Path, size: int) -> None:
    """Raise if a zip has compressed parts: a small file could fill the memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeError):
        return
    if total > size:
        found = f"{size:,} bytes that unpack to {total:,}"
        raise CheckpointError(found, is_foreign=True)


def _explain(error: Exception) -> CheckpointError:
    """Return the error with its reason on one line: the first name that is not allowed."""
    text = str(error)
    name = _UNKNOWN_NAME.search(text)
    if name is not None:
        return CheckpointError(f"{name[1]}, which is not part of weights", is_foreign=True)
    reason = _REASON.search(text)
    line = reason[1] if reason else next(iter(text.splitlines()), "")
    if not reason and not isinstance(error, RuntimeError):
        line = f"a damaged file ({type(error).__name__})"
    # torch's advice to allow more does not apply here.
    line = line.split("In PyTorch 2.6")[0].strip()
    return CheckpointError(line or "a damaged file", is_foreign=reason is not None)


class _Plain:
    """Copies content into plain containers, and refuses everything else.

    Args:
        size: the size of the file; tensors must not need more.
    """

    def __init__(self, size: int) -> None:
        self.left = size
        self.storages: set[int] = set()
        self.done: dict[int, Any] = {}
        self.kept: list[Any] = []

    def convert(self, value: Any, where: str, level: int = 0) -> Any:
        """Return a value in plain containers.

        Args:
            value: the value.
            where: its path, for messages.
            level: how deep it lies.

        Raises:
            CheckpointError: it is anything else, lies too deep, or is larger than the file.
        """
        if type(value) in _PLAIN or isinstance(value, _TORCH_VALUES):
            return value
        if level > _MOST_LEVELS:
            raise CheckpointError("values inside each other without an end", is_foreign=True)
        if id(value) not in self.done:
            # Kept, so that its id stays its own.
            self.kept.append(value)
            self.done[id(value)] = self._copy(value, where, level + 1)
        return self.done[id(value)]

    def _copy(self, value: Any, where: str, level: int) -> Any:
        if isinstance(value, dict):
            # dict's own method: a file may have put something else in the place of the object's.
            return {
                self._key(key, where): self.convert(inner, f"{where}[{key!r}]", level)
                for key, inner in dict.items(value)
            }
        if type(value) in (list, tuple, set):
            return type(value)(self.convert(inner, where, level) for inner in value)
        if isinstance(value, torch.Tensor):
            return self._tensor(value, where)
        if value is ArrayOrLog or isinstance(value, ArrayOrLog):
            return value
        found = f"{type(value).__module__}.{type(value).__qualname__} at {where or 'the top'}"
        raise CheckpointError(found, is_foreign=True)

    def _key(self, key: Any, where: str) -> Any:
        if type(key) not in _PLAIN and type(key) is not tuple:
            found = f"{type(key).__name__} as a key of {where or 'the top'}"
            raise CheckpointError(found, is_foreign=True)
        return key

    def _tensor(self, tensor: torch.Tensor, where: str) -> torch.Tensor:
        """Return a plain tensor, without what a file may have attached to it."""
        if (
            type(tensor) not in (torch.Tensor, torch.nn.Parameter)
            or tensor.layout != torch.strided
            or tensor.device.type != "cpu"
            or tensor.is_quantized
        ):
            raise CheckpointError(f"a special tensor at {where}", is_foreign=True)
        storage = torch.Tensor.untyped_storage(tensor)
        if storage.data_ptr() not in self.storages:
            self.storages.add(storage.data_ptr())
            self.left -= storage.nbytes()
        needed = torch.Tensor.numel(tensor) * torch.Tensor.element_size(tensor)
        if self.left < 0 or needed > storage.nbytes():
            raise CheckpointError(f"a tensor larger than the file at {where}", is_foreign=True)
        return torch.Tensor.detach(tensor)
