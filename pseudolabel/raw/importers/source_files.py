"""Finding the files that a label file names: exports are often moved, renamed or from Windows."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.path_index import PathIndex, path_parts
from pseudolabel.formats.image_files import IMAGE_SUFFIXES, is_junk
from pseudolabel.raw.importers.split_names import split_of_folders


class FileIndex(PathIndex):
    """The files below a folder, found by the longest ending of a path that only one file has.

    Files of operating systems and notebooks are not part of the index.

    Args:
        folder: the folder; links to folders below it are followed.
        suffixes: the suffixes of the files, in lower case; files have them in any letter case.
    """

    def __init__(self, folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> None:
        self.folder = folder
        files = _files_in(folder)
        super().__init__(name for name in files if Path(name).suffix.lower() in suffixes)


def _files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder; a folder that links lead to is read once."""
    seen: set[str] = set()
    for base, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_junk(name))
        for name in files:
            if not is_junk(name):
                yield Path(base, name).relative_to(folder).as_posix()


@dataclass(frozen=True)
class Pairs:
    """Images and their label files or masks.

    Attributes:
        files: the file of each image that has one.
        shared: the images that could have the same file, by file; they are in no pair.
        unused: the files that no image took.
    """

    files: dict[str, str]
    shared: dict[str, list[str]]
    unused: list[str]


def pair_files(
    names: Sequence[str], index: FileIndex, places: Callable[[str], Sequence[str]]
) -> Pairs:
    """Return the file of each image, found by its path without the suffix.

    A file that is at no known place may lie elsewhere. It is taken if the ending that its path has
    in common with that of the image is unique among the images and among the files, and if both do
    not lie in folders of different splits.

    Args:
        names: the paths of the images.
        index: the files.
        places: returns the paths, without a suffix, where the file of an image may be.
    """
    by_path = {"/".join(path_parts(name.rpartition(".")[0])): name for name in index.names}
    files = {}
    for name in names:
        wanted = ("/".join(path_parts(place)) for place in places(name))
        file = next((by_path[path] for path in wanted if path in by_path), None)
        if file is not None:
            files[name] = file
    taken = set(files.values())
    endings = Counter(ending for name in names for ending in _endings(places(name)[0]))
    for name in names:
        matches = [] if name in files else index.find_stem(places(name)[0])
        if len(matches) != 1 or matches[0] in taken or _splits_differ(name, matches[0]):
            continue
        common = set(_endings(places(name)[0])) & set(_endings(matches[0].rpartition(".")[0]))
        if endings[max(common, key=len)] == 1:
            files[name] = matches[0]
    images = defaultdict(list)
    for name, file in files.items():
        images[file].append(name)
    shared = {file: users for file, users in images.items() if len(users) > 1}
    files = {name: file for name, file in files.items() if file not in shared}
    return Pairs(files, shared, [name for name in index.names if name not in images])


def _endings(path: str) -> list[tuple[str, ...]]:
    """Return all endings of a path, each as a tuple of its parts."""
    parts = path_parts(path)
    return [tuple(parts[start:]) for start in range(len(parts))]


def _splits_differ(name: str, other: str) -> bool:
    """Return whether two paths lie in folders of different splits."""
    splits = {split_of_folders(name), split_of_folders(other)} - {None}
    return len(splits) > 1


def source_folder(source: Path) -> Path:
    """Return the folder of a source, which may be a folder or a file in it."""
    return source if source.is_dir() else source.parent


def label_files(source: Path, suffix: str) -> list[str]:
    """Return the label files of a source: the file itself, or all with the suffix in a folder."""
    return FileIndex(source, {suffix}).names if source.is_dir() else [source.name]
