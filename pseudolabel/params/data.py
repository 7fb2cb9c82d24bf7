"""The section `data` of params.yaml: where the raw data are, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from pseudolabel.core.bucket import raw_root
from pseudolabel.params.types import Allowed, PositiveFloat, Section, WholeNumber

_GB = 1_000_000_000


class Data(Section):
    """The raw data."""

    root: Annotated[
        Path,
        BeforeValidator(raw_root),
        Allowed("a folder, or an address such as s3://bucket/folder"),
    ]
    """Folder of the raw data."""
    workers: Annotated[WholeNumber, Field(ge=0, le=1024)]
    """Processes that read images."""
    cache_gb: PositiveFloat
    """GB of a bucket's images that this machine keeps."""

    @property
    def cache_bytes(self) -> int:
        """Bytes of a bucket's images that this machine keeps."""
        return round(self.cache_gb * _GB)
