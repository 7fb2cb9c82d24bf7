"""The images that the entries of data.yaml or obj.data name: folders, lists, or several of them."""

from __future__ import annotations

import posixpath
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pseudolabel.core.errors import Fault
from pseudolabel.core.regular_files import read_utf8
from pseudolabel.formats.image_files import list_images
from pseudolabel.raw.importers.base import existing_path_inside
from pseudolabel.raw.importers.source_files import FileIndex


class NamedImages:
    """Finds the images of entries.

    Exports are often moved, and then `path` and a leading `../` are wrong. Therefore an entry is
    tried with and without them. Backslashes count as slashes.

    Args:
        base: the folder of data.yaml; image names are relative to it.
        root: the value of `path`.

    Attributes:
        faults: the images of lists that were not found.
        list_files: the lists of images that were read, relative to the base.
    """

    def __init__(self, base: Path, root: Any) -> None:
        self.base = base
        self.root = _clean(root) if isinstance(root, str) else None
        self.faults: list[Fault] = []
        self.list_files: set[str] = set()

    def exists(self, entry: Any) -> bool:
        """Return whether an entry names a folder with images or a list, by its exact path."""
        if isinstance(entry, list):
            return any(map(self.exists, entry))
        path = self._path_of(_clean(entry)) if isinstance(entry, str) and entry else None
        if path is None:
            return False
        return bool(list_images(path)) if path.is_dir() else path.suffix.lower() == ".txt"

    def of_entry(self, entry: Any) -> tuple[list[str], list[str]]:
        """Return the names of an entry's images, and the parts of the entry that have none."""
        names, missing = [], []
        for part in entry if isinstance(entry, list) else [entry]:
            found = self._of_part(_clean(part)) if isinstance(part, str) else []
            names += found
            if not found:
                missing.append(str(part))
        return list(dict.fromkeys(names)), missing

    def _of_part(self, name: str) -> list[str]:
        """Return the names of the images in a folder or in a list."""
        path = self._path_of(name)
        if path is None and name.lower().endswith(".txt"):
            files = FileIndex(self.base, {".txt"}).find(name)
            path = self.base / files[0] if len(files) == 1 else None
        if path is None:
            return []
        inner = path.relative_to(self.base)
        if path.is_dir():
            return [(PurePosixPath(inner) / image).as_posix() for image in list_images(path)]
        return self._of_list(inner) if path.suffix.lower() == ".txt" else []

    def _path_of(self, name: str) -> Path | None:
        """Return the folder or file of an entry; None if it is not below the base."""
        names = [name, name.removeprefix("../")]
        if self.root is not None:
            names = [f"{self.root}/{entry}" for entry in names] + names
        whole = Path(name) if self.root is None else Path(self.root) / name
        if whole.is_absolute() and whole.is_relative_to(self.base.absolute()):
            names.append(whole.relative_to(self.base.absolute()).as_posix())
        found = (existing_path_inside(self.base, posixpath.normpath(entry)) for entry in names)
        return next((path for path in found if path is not None), None)

    def _of_list(self, file: Path) -> list[str]:
        """Return the names of the images in a list, one per line."""
        self.list_files.add(file.as_posix())
        try:
            lines = read_utf8(self.base / file).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(Fault(file.as_posix(), "", "a text file in UTF-8", str(error)))
            return []
        lines = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        lines_of: dict[str, str] = {}
        for line in lines:
            matches = self._index.find(line)
            if len(matches) > 1:
                matches = self._index.find(f"{file.parent.as_posix()}/{line}")
            if len(matches) != 1:
                found = f"{len(matches)} files of this name" if matches else "no file"
            elif matches[0] in lines_of:
                found = f"the image of {lines_of[matches[0]]!r} again"
            else:
                lines_of[matches[0]] = line
                continue
            self.faults.append(Fault(file.as_posix(), repr(line), "an image file", found))
        return list(lines_of)

    @cached_property
    def _index(self) -> FileIndex:
        return FileIndex(self.base)


def _clean(name: str) -> str:
    """Return a path with forward slashes and without a slash at its end."""
    return name.strip().replace("\\", "/").rstrip("/") or name.strip()
