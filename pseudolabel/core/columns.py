"""Tables as columns of equal length: rows by mask, rows joined, and looking up ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self


@dataclass(frozen=True)
class Columns(ABC):
    """Base of the records whose fields are all columns of equal length."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Self:
        """Return the rows of a boolean mask, of row numbers or of a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, in order."""
        names = [field.name for field in fields(cls)]
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(*columns) if parts else cls.empty()

    @classmethod
    @abstractmethod
    def empty(cls) -> Self:
        """Return a table without rows."""


def positions(wanted: NDArray[np.integer[Any]], ids: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the index of each of (m,) wanted ids in (n,) ids; every wanted id must be there."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids[order], wanted)]


def object_array(values: Sequence[str] | Sequence[bytes]) -> NDArray[np.object_]:
    """Return an (n,) array of objects, even if the values differ in length."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
