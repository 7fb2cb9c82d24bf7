"""A file of predictions that another model made, as the parameters name it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _with_text_keys(value: Any) -> Any:
    """Return a mapping whose keys are texts: YAML reads the class 0 as a number."""
    if not isinstance(value, Mapping):
        return value
    return {str(key) if type(key) is int else key: entry for key, entry in value.items()}


_Names = Annotated[list[str], Field(min_length=1)]
_Mapping = Annotated[dict[str, str], Field(min_length=1), BeforeValidator(_with_text_keys)]


class TeacherFile(BaseModel):
    """A file or folder of predictions, and what its classes and image numbers mean.

    Attributes:
        file: the file, or the folder of files.
        classes: the names of the classes 0, 1, ... in the file, or the class of the data that each
            class of the file stands for; None if both have the same names.
        ids: the COCO file whose ids of images and categories COCO results use.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path
    classes: _Names | _Mapping | None = None
    ids: Path | None = None


Teacher = Path | TeacherFile
"""A model folder, or predictions; a path may be either."""
