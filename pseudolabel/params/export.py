"""The section `export`: which predictions are written, and in which form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pseudolabel.params.types import Allowed, Flag, PositiveFloat, Section, Size

Models = Annotated[
    Literal["champion", "folds"] | Annotated[list[Path], Field(min_length=1)],
    Allowed("champion, folds, or a list of model folders"),
]
Columns = Annotated[
    dict[str, str],
    Field(min_length=1),
    Allowed("{column: field, ...}, with at least one column"),
]


class Export(Section):
    """The submission files: which models predict which images, and what is written."""

    models: Models
    """Models that predict."""
    split: Literal["test", "val"]
    """Split that is predicted and scored."""
    images: Annotated[Path | None, Allowed("a folder, or null for the images of the split")]
    """Folder of other images to predict."""
    columns: Columns
    """Columns of submission.csv."""
    map_size: Annotated[Size | None, Allowed("[width, height], or null for each image's own")]
    """Size of class maps in the CSV, pixels."""
    max_weights_mb: PositiveFloat | None
    """Limit for the weights of all models, MB."""
    onnx: Flag
    """Whether to write model.onnx."""


class InstanceExport(Export):
    """The submission files: which models predict which images, and what is written."""

    measures: Flag
    """Whether to measure the shapes of all masks."""
    order: Annotated[Path | None, Allowed("a CSV file, or null for the order of the names")]
    """CSV that puts the images in order."""
