"""Several COCO files as one: images are the same by name, classes by name, ids are new."""

from __future__ import annotations

from pathlib import Path

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.raw.importers.base import Record
from pseudolabel.raw.importers.coco_files import CocoFile
from pseudolabel.raw.importers.coco_rows import Id, plain_id


class Merger:
    """Merges the files of one split.

    Args:
        class_from_folder: whether the class of a label is the name of the folder of its file.
        categories: the categories by name, shared by all splits; new ones are added.
    """

    def __init__(self, class_from_folder: bool, categories: dict[str, Record]) -> None:
        self.class_from_folder = class_from_folder
        self.categories = categories
        self.images: dict[str, Record] = {}
        self.rows: list[tuple[str, Record]] = []
        self.faults: list[Fault] = []

    def add(self, file: CocoFile) -> None:
        """Add the images, categories and annotations of a file.

        The image id of an annotation may be missing if its file has one image.
        """
        new_ids = self._add_images(file.content["images"])
        names = {} if self.class_from_folder else self._add_categories(file.content["categories"])
        only_image = next(iter(new_ids.values())) if len(new_ids) == 1 else None
        for number, row in enumerate(file.content["annotations"]):
            record = f"annotation {short_repr(row.get('id', number))}"
            image_id = new_ids.get(plain_id(row.get("image_id")), only_image)
            if self.class_from_folder:
                name, expected = Path(file.label).parent.name, "a folder with the name of its class"
            else:
                name, expected = names.get(plain_id(row.get("category_id")), ""), "a known category"
            if not name:
                found = short_repr(row.get("category_id"))
                self.faults.append(Fault(file.label, record, expected, found))
            elif image_id is None:
                found = short_repr(row.get("image_id"))
                expected = "an `image_id` of the images"
                self.faults.append(Fault(file.label, record, expected, found))
            else:
                self.categories.setdefault(name, {})
                self.rows.append((name, row | {"id": len(self.rows) + 1, "image_id": image_id}))

    def finished(self) -> Record:
        """Return the content of all files; classes are sorted by name."""
        ids = {name: number for number, name in enumerate(sorted(self.categories), start=1)}
        return {
            "images": list(self.images.values()),
            "categories": [self.categories[name] | {"id": ids[name], "name": name} for name in ids],
            "annotations": [row | {"category_id": ids[name]} for name, row in self.rows],
        }

    def _add_images(self, rows: list[Record]) -> dict[Id, int]:
        """Add the images of a file by name; return the new id of each of its image ids."""
        new_ids = {}
        for row in rows:
            name = str(row.get("file_name"))
            image = self.images.setdefault(name, row | {"id": len(self.images) + 1})
            new_ids[plain_id(row.get("id"))] = image["id"]
        return new_ids

    def _add_categories(self, rows: list[Record]) -> dict[Id, str]:
        """Add the categories of a file by name; return the name of each of its category ids."""
        named = [row for row in rows if isinstance(row.get("name"), str) and row["name"]]
        self.categories.update({row["name"]: row for row in named})
        return {plain_id(row.get("id")): row["name"] for row in named}
