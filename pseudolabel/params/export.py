"""The section `export`: what is handed in, and in which form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pseudolabel.params.base import Above, Section, Some


class Export(Section):
    """Which models run over which images, and what is written of it.

    `images` is a folder, or null for the images of `split`; `columns` has a field for each column
    of the CSV.
    """

    models: Literal["champion", "folds"] | Annotated[list[Path], Field(min_length=1)]
    split: Literal["test", "val"]
    images: Path | None
    columns: Annotated[dict[str, str], Field(min_length=1)]
    map_size: tuple[Some, Some] | None
    max_weights_mb: Above | None
    onnx: bool


class InstanceExport(Export):
    """The same, with a table of shape measures, and a CSV that puts images in order."""

    measures: bool
    order: Path | None
