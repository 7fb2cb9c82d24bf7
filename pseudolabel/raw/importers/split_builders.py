"""Builders of several splits that share their classes, for formats with one file per image."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.raw.importers.base import ImportRequest, ImportResult
from pseudolabel.raw.importers.builder import Builder
from pseudolabel.raw.importers.image_search import candidates_text, is_drawn
from pseudolabel.raw.importers.source_files import FileIndex, source_folder
from pseudolabel.raw.importers.split_names import split_of


class SplitBuilders:
    """One builder per split; a class that labels of one split add is a class of all.

    Args:
        images: the images of the source.
        classes: the names of the classes.
        open_classes: whether labels may add classes that are not in the list.
    """

    def __init__(self, images: FileIndex, classes: Sequence[str], open_classes: bool) -> None:
        self.images = images
        self._classes, self._open = list(classes), open_classes
        self._builders: dict[str, Builder] = {}
        self._unused: dict[str, list[str]] = {}

    @classmethod
    def for_request(cls, request: ImportRequest) -> SplitBuilders:
        """Return the builders of a source; without requested classes, labels add theirs."""
        images = FileIndex(request.images or source_folder(request.source))
        return cls(images, request.classes, not request.classes)

    def of(self, split: str) -> Builder:
        """Return the builder of a split."""
        if split not in self._builders:
            builder = Builder(self.images.folder, (), self._open)
            builder.classes = self._classes
            self._builders[split] = builder
        return self._builders[split]

    @property
    def only_class(self) -> str | None:
        """The class of all labels if it was requested as the only one; otherwise None."""
        return self._classes[0] if len(self._classes) == 1 and not self._open else None

    def note_unused(self, kind: str, name: str) -> None:
        """Note something that was seen and is not imported."""
        self._unused.setdefault(kind, []).append(name)

    def tags_to_labels(self, key: str) -> None:
        """Make the classes of whole images, which are in a field, labels if there are no others.

        Beside labels of objects, the field stays.
        """
        builders = self._builders.values()
        if any(builder.annotations for builder in builders):
            return
        for builder in builders:
            for image in builder.images:
                for name in image.pop(key, []):
                    builder.add_label(image["file_name"], key, image, name)

    def finish(self, found: ImportResult) -> None:
        """Add the splits, their faults and what was not used to a result."""
        used: set[str] = set()
        for split, builder in self._builders.items():
            found.splits[split] = builder.finished()
            found.faults += builder.faults
            used |= set(found.splits[split].files)
        unlabelled = [name for name in self.images.names if name not in used and not is_drawn(name)]
        found.add_unlabelled("images without a label file", self.images.folder, unlabelled)
        for kind, names in self._unused.items():
            found.unused.setdefault(kind, []).extend(names)


def splits_of_folders(files: Sequence[str], otherwise: str, found: ImportResult) -> dict[str, str]:
    """Return the split of each file: that which the nearest of its folders tells.

    If no folder tells a split, all files are of one split. If only some do, that is a fault.

    Args:
        files: paths of the label files.
        otherwise: the split of all files if no folder tells one.
        found: the result, to which the fault is added.
    """
    told = {file: _folder_split(file) for file in files}
    unclear = [file for file, split in told.items() if split is None]
    if unclear and len(unclear) < len(files):
        expected = "all label files in folders that tell a split, or none"
        faulty = f"files that are in no such folder, {candidates_text(unclear)}"
        found.faults.append(Fault(short_repr(posixpath.dirname(unclear[0])), "", expected, faulty))
    return {file: split or otherwise for file, split in told.items()}


def _folder_split(file: str) -> str | None:
    """Return the split that the nearest folder of a file tells; None if none does."""
    folders = reversed(posixpath.dirname(file).split("/"))
    return next((split for folder in folders if (split := split_of(folder))), None)
