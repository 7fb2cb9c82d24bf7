"""What all files of predictions share: their classes, their images, and what is read from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.core.files import path_inside
from pseudolabel.core.path_index import PathIndex
from pseudolabel.core.records import Category, Images
from pseudolabel.core.regular_files import read_utf8
from pseudolabel.core.teacher_file import TeacherFile

CLASS_LIST = "classes.txt"
"""In a folder of predictions: the names of the classes 0, 1, ..., one per line."""
_SHOWN = 3


class Source:
    """A file of predictions while it is read.

    Args:
        teacher: the file, and what its classes and numbers mean.
        images: the images of all splits.
        categories: the classes of the data.

    Attributes:
        sizes: width and height of each image, by its id.
        faults: every fault found so far.
        left_out: the number of predictions that were left out, by reason.
        covered: the ids of the images that the file has predictions for, by the name it gives them.
    """

    def __init__(
        self, teacher: TeacherFile, images: Images, categories: tuple[Category, ...]
    ) -> None:
        self.teacher, self.categories = teacher, categories
        names, ids = images.file_names.tolist(), images.ids.tolist()
        self._ids, self._index = dict(zip(names, ids, strict=True)), PathIndex(names)
        sides = zip(images.widths.tolist(), images.heights.tolist(), strict=True)
        self.sizes: dict[int, tuple[int, int]] = dict(zip(ids, sides, strict=True))
        self.faults: list[Fault] = []
        self.left_out: Counter[str] = Counter()
        self.covered: dict[str, int] = {}

    @property
    def label(self) -> str:
        """The name of the file, for faults."""
        return str(self.teacher.file)

    def fault(self, record: str, expected: str, found: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(self.label, record, expected, found))

    def cover(self, names: Iterable[str], *, stems: bool = False) -> dict[str, int]:
        """Return the ids of the images that names mean, and record that these are predicted.

        An image is found by the longest ending of its path. Names of no image are left out and
        counted. A name that several images have, and two names of one image, are faults.

        Args:
            names: the names in the file.
            stems: whether the names have no suffix.
        """
        find = self._index.find_stem if stems else self._index.find
        matches: dict[str, list[str]] = defaultdict(list)
        for name in sorted(set(names)):
            found = [name] if name in self._ids else find(name)
            if len(found) > 1:
                shown = ", ".join(map(repr, found[:_SHOWN]))
                self.fault(f"image {name!r}", "a name that only one image has", shown)
            elif found:
                matches[found[0]].append(name)
            else:
                self.left_out["files that are no image of the data"] += 1
        for image, users in matches.items():
            exact = [name for name in users if name == image]
            if len(users) > 1 and not exact:
                found_names = ", ".join(map(repr, users[:_SHOWN]))
                self.fault(f"image {image!r}", "one name in the file", found_names)
            self.left_out["files that are no image of the data"] += len(users) - 1
            self.covered[(exact or users)[0]] = self._ids[image]
        return self.covered

    def classes(self, names: Iterable[str], numbers: Sequence[str] | None) -> ClassMap:
        """Return the class of the data that each class of the file stands for.

        Args:
            names: the classes in the file: names, or numbers as texts.
            numbers: the names of the classes 0, 1, ..., if the file has them beside it.
        """
        given = self.teacher.classes
        listed = given if isinstance(given, list) else numbers
        own = {category.name: index for index, category in enumerate(self.categories)}
        counts = Counter(list(names))
        known: dict[str, int] = {}
        for name in sorted(counts):
            title = name
            if listed is not None and name.isdecimal() and int(name) < len(listed):
                title = listed[int(name)]
            if isinstance(given, dict):
                title = given.get(name, given.get(title, ""))
                if not title:
                    self.left_out[f"class {name!r}"] += counts[name]
                    continue
            if title in own:
                known[name] = own[title]
            else:
                expected = f"a class of {', '.join(own)}, or `classes` that names one for it"
                self.fault(f"class {name!r}", expected, short_repr(title))
        return ClassMap(known)

    def files(self, folder: str, suffix: str) -> list[str]:
        """Return the sorted files with a suffix below a folder, by their paths in this folder.

        A link that leads out of the folder of predictions is a fault.

        Args:
            folder: the folder in the folder of predictions, "" for all of it.
            suffix: the ending of the files.
        """
        base, found = self.teacher.file / folder, []
        for path in sorted(base.rglob(f"*{suffix}")):
            name = path.relative_to(base).as_posix()
            inside = path_inside(self.teacher.file, path.relative_to(self.teacher.file).as_posix())
            if inside is None:
                self.fault(name, "a file in the folder of predictions", "a link that leads out")
            elif not path.name.startswith(".") and path.is_file():
                found.append(name)
        return found

    def class_list(self) -> list[str] | None:
        """Return the lines of classes.txt in the folder of predictions; None if there is none."""
        path = self.teacher.file / CLASS_LIST
        if not path.is_file():
            return None
        try:
            return [line.strip() for line in read_utf8(path).rstrip().splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(Fault(str(path), "", "a text file in UTF-8", str(error)))
            return []


@dataclass(frozen=True)
class ClassMap:
    """The index of the class that each class of a file stands for; others are left out."""

    indices: dict[str, int]

    def __getitem__(self, name: str) -> int:
        """Return the index of a class; -1 if it is left out, or is a fault."""
        return self.indices.get(name, -1)
