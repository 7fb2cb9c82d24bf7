"""What every reader takes and gives, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudolabel.errors import Fault
from pseudolabel.files import inside
from pseudolabel.formats.images import ImageFacts, look_at_one

Record = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What is to be imported.

    Attributes:
        source: the folder or file.
        split: what labels become whose format does not say: gold, val, test or pool.
        images: the folder of images; None where the format tells.
        classes: names of the classes, in the order of their numbers, where the format does not say.
        class_from_folder: take each label's class from the folder of its file, whatever it says.
    """

    source: Path
    split: str
    images: Path | None = None
    classes: tuple[str, ...] = ()
    class_from_folder: bool = False


@dataclass
class Split:
    """One split as it is to be written.

    Attributes:
        files: the image file of each name below images/.
        maps: the label map of each name below masks/.
        content: the COCO file: images, categories, annotations, and whatever else was there.
    """

    files: dict[str, Path] = field(default_factory=dict)
    maps: dict[str, Path] = field(default_factory=dict)
    content: Record = field(default_factory=dict)


@dataclass
class Found:
    """What a reader found: splits by name, and every fault."""

    splits: dict[str, Split] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


Reader = Callable[[Request], Found]


class Builder:
    """Collects images and labels of one split with ids counted from 1.

    Args:
        folder: the folder that image names are relative to; none may leave it.
        classes: the names of the classes; ids count from 1 in their order.
        open_classes: whether labels may bring classes that are not among them.
    """

    def __init__(
        self, folder: Path, classes: Sequence[str] = (), open_classes: bool = False
    ) -> None:
        self.folder, self.open_classes = folder, open_classes
        self.split = Split()
        self.classes = list(classes)
        self.images: list[Record] = []
        self.annotations: list[Record] = []
        self.faults: list[Fault] = []

    def fault(self, file: str, record: str, expected: str, found: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(file, record, expected, found))

    def add_image(self, file: str, name: str, **fields: Any) -> Record | None:
        """Add an image and return its row; None with a fault where it cannot be used.

        Args:
            file: the file that names it, for the fault.
            name: relative to the folder.
            fields: whatever else the format says of it.
        """
        fact = look_at_one(self.folder, name)
        if not isinstance(fact, ImageFacts):
            self.fault(file, f"image {name!r}", fact.expected, fact.found)
            return None
        if name in self.split.files:
            self.fault(file, f"image {name!r}", "an image of its own", "a second mention")
            return None
        self.split.files[name] = self.folder / name
        row = fields | {"id": len(self.images) + 1, "file_name": name}
        row |= {"width": fact.width, "height": fact.height}
        self.images.append(row)
        return row

    def add_label(self, file: str, record: str, image: Record, name: str, **fields: Any) -> None:
        """Add a label of a class to an image, with a fault where the class is unknown."""
        if name not in self.classes:
            if not self.open_classes:
                self.fault(file, record, f"a class of {', '.join(self.classes)}", repr(name))
                return
            self.classes.append(name)
        row = {"id": len(self.annotations) + 1, "image_id": image["id"], "class": name}
        self.annotations.append(fields | row)

    def finished(self) -> Split:
        """Return the split; classes that labels brought are sorted by name."""
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


def images_folder(request: Request, *candidates: str) -> Path:
    """Return the folder of images: the one asked for, or the first candidate that is there."""
    if request.images is not None:
        return request.images
    base = request.source if request.source.is_dir() else request.source.parent
    found = (base / name for name in candidates if (base / name).is_dir())
    return next(found, base)


def box_around(polygons: Sequence[Sequence[float]]) -> list[float]:
    """Return x, y, width and height of the box around polygons of x, y, x, y, ..."""
    across = [it for polygon in polygons for it in polygon[::2]]
    down = [it for polygon in polygons for it in polygon[1::2]]
    return [min(across), min(down), max(across) - min(across), max(down) - min(down)]


def safe(folder: Path, name: str) -> Path | None:
    """Return a path below a folder, None where it would leave it or is not there."""
    path = inside(folder, name)
    return path if path is not None and path.exists() else None
