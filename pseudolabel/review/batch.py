"""The record of images that were sent to a person: review/<number>/sent.json.

It has the predictions that the person saw, so that corrections can be told from confirmations, and
the place where the images were sent, without any token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import Fault, ReviewError
from pseudolabel.core.files import read_json, write_json
from pseudolabel.core.project import REVIEW
from pseudolabel.core.records import Category
from pseudolabel.review.labels import LabelledImage, from_coco, to_coco

SENT = "sent.json"


@dataclass(frozen=True)
class Batch:
    """Images that were sent together.

    Attributes:
        number: of the batch, from 1.
        round: the round whose predictions were sent.
        teacher: the hash of the weights that predicted.
        by: how the images were chosen.
        tool: the labelling tool.
        place: where the tool has them, such as an address and a project.
        images: the images with the predicted labels.
    """

    number: int
    round: int
    teacher: str
    by: str
    tool: str
    place: dict[str, Any]
    images: list[LabelledImage]

    @property
    def folder(self) -> Path:
        """The folder of the batch."""
        return REVIEW / str(self.number)

    def write(self, categories: Sequence[Category]) -> None:
        """Write the record of the batch."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = ("number", "round", "teacher", "by", "tool", "place")
        values = {key: getattr(self, key) for key in keys}
        write_json(self.folder / SENT, values | {"labels": to_coco(self.images, categories)})

    @classmethod
    def read(cls, number: int) -> Batch:
        """Return a batch that was sent.

        Raises:
            ReviewError: there is none of this number, or its record is damaged.
        """
        path = REVIEW / str(number) / SENT
        if not path.exists():
            known = ", ".join(map(str, batch_numbers())) or "none"
            raise ReviewError(f"{path}: expected one of the batches that were sent: {known}")
        try:
            values = read_json(path)
            return cls(**values | {"images": from_coco(values.pop("labels"))})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
            fault = Fault(str(path), "", "the record that `review send` wrote", found)
            raise ReviewError(str(fault)) from error


def batch_numbers() -> list[int]:
    """Return the numbers of all batches that were sent."""
    return sorted(
        int(path.parent.name) for path in REVIEW.glob(f"*/{SENT}") if path.parent.name.isdigit()
    )


def names_sent() -> set[str]:
    """Return the names of all images that were ever sent."""
    return {image.file_name for number in batch_numbers() for image in Batch.read(number).images}
