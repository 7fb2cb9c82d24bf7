"""Collects the images and labels of one split while an importer reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pseudolabel.core.errors import Fault
from pseudolabel.formats.image_files import ImageFacts, read_image_fact
from pseudolabel.raw.importers.base import ImportedSplit, Record


class Builder:
    """Collects the images and labels of one split; ids are counted from 1.

    Args:
        folder: the folder that contains all images; image names are relative to it.
        classes: the names of the classes; their ids are counted from 1 in this order.
        open_classes: whether labels may add classes that are not in the list.
    """

    def __init__(
        self, folder: Path, classes: Sequence[str] = (), open_classes: bool = False
    ) -> None:
        self.folder, self.open_classes = folder, open_classes
        self.split = ImportedSplit()
        self.classes = list(classes)
        self.images: list[Record] = []
        self.annotations: list[Record] = []
        self.faults: list[Fault] = []

    def fault(self, file: str, record: str, expected: str, found: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(file, record, expected, found))

    def add_image(
        self, file: str, name: str, stated_size: tuple[int, int] | None = None, **fields: Any
    ) -> Record | None:
        """Add an image and return its row; add a fault and return None if it cannot be used.

        Args:
            file: the file that lists the image, for the fault.
            name: path of the image, relative to the folder.
            stated_size: width and height of the image on which the labels were made, in pixels;
                None or zeros if the format does not state them.
            fields: other fields of the image.
        """
        fact = read_image_fact(self.folder, name)
        if not isinstance(fact, ImageFacts):
            self.fault(file, f"image {name!r}", fact.expected, fact.found)
            return None
        if stated_size is not None and all(stated_size):
            width, height = stated_size
            if (width, height) != (fact.width, fact.height):
                expected = f"the size of its file, {fact.width}x{fact.height}"
                self.fault(file, f"image {name!r}", expected, f"{width}x{height}")
                return None
        if name in self.split.files:
            self.fault(file, f"image {name!r}", "a unique image", "the image again")
            return None
        self.split.files[name] = self.folder / name
        row = fields | {"id": len(self.images) + 1, "file_name": name}
        row |= {"width": fact.width, "height": fact.height}
        self.images.append(row)
        return row

    def add_label(self, file: str, record: str, image: Record, name: str, **fields: Any) -> None:
        """Add a label of a class to an image; add a fault if the class is unknown.

        Args:
            file: the file of the label, for the fault.
            record: the record of the label, for the fault.
            image: the row of the image.
            name: the name of the class.
            fields: other fields of the label.
        """
        if name not in self.classes:
            if not self.open_classes:
                self.fault(file, record, f"a class of {', '.join(self.classes)}", repr(name))
                return
            self.classes.append(name)
        row = {"id": len(self.annotations) + 1, "image_id": image["id"], "class": name}
        self.annotations.append(fields | row)

    def finished(self) -> ImportedSplit:
        """Return the split; with open classes, all classes are sorted by name."""
        names = sorted(self.classes) if self.open_classes else self.classes
        ids = {name: number for number, name in enumerate(names, start=1)}
        for row in self.annotations:
            row["category_id"] = ids[row.pop("class")]
        self.split.content = {
            "images": self.images,
            "categories": [{"id": number, "name": name} for name, number in ids.items()],
            "annotations": self.annotations,
        }
        return self.split
