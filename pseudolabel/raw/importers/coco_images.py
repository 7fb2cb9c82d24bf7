"""The images of COCO files: found wherever they were moved, and named without clashes."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from pseudolabel.core.errors import Fault, short_repr
from pseudolabel.formats.image_files import ImageFacts, read_image_fact
from pseudolabel.raw.importers.base import ImportRequest, ImportResult, Record, folder_inside
from pseudolabel.raw.importers.coco_files import CocoFile
from pseudolabel.raw.importers.image_search import ONE_IMAGE, candidates_text, find_image, is_drawn
from pseudolabel.raw.importers.json_values import whole_number
from pseudolabel.raw.importers.source_files import FileIndex
from pseudolabel.raw.importers.split_names import split_within

_FOLDERS = ("images", "JPEGImages")


@dataclass
class _Place:
    """Where the image of a row is: its stated and wanted names, and its file below a folder."""

    row: Record
    stated: str
    wanted: str
    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / self.name


def place_images(
    files: list[CocoFile], request: ImportRequest, found: ImportResult
) -> dict[str, dict[str, Path]]:
    """Find the images of COCO files, and set the `file_name` that each has below images/.

    Images keep their names. If a name leads out of the folder, or if two images have it, an image
    is named by its path in the source. Sizes are read as whole numbers; missing ones are those of
    the file.

    Args:
        files: the COCO files; their `images` become new rows.
        request: the source.
        found: the result, to which faults and unused images are added.

    Returns:
        The source file of each image name, by split.
    """
    indexes = _indexes(request)
    placed: list[tuple[CocoFile, _Place]] = []
    for file in files:
        rows = [dict(row) for row in file.content["images"]]
        file.content["images"] = rows
        for row in rows:
            place = _locate(row, file, indexes, found.faults)
            if place is not None:
                placed.append((file, place))
    paths = defaultdict(set)
    for _, place in placed:
        paths[place.wanted].add(place.path)
    by_split: dict[str, dict[str, Path]] = {file.split: {} for file in files}
    stated: dict[Path, str] = {}
    for file, place in placed:
        name = place.wanted if len(paths[place.wanted]) == 1 else place.name
        place.row["file_name"] = name
        by_split[file.split][name] = place.path
        other = stated.setdefault(place.path, place.stated)
        if posixpath.normpath(other) != posixpath.normpath(place.stated):
            record, text = f"image {place.stated!r}", f"{place.name!r}, which is also {other!r}"
            found.faults.append(Fault(file.label, record, "an image of its own", text))
    used = {place.path for _, place in placed}
    first = indexes[0]
    unlisted = [n for n in first.names if first.folder / n not in used and not is_drawn(n)]
    found.add_unlabelled("images that no label file names", first.folder, unlisted)
    return by_split


def _indexes(request: ImportRequest) -> list[FileIndex]:
    """Return the images of the folders to search, the best folder first."""
    if request.images is not None:
        return [FileIndex(request.images)]
    base = request.source if request.source.is_dir() else request.source.parent
    folders = [folder for name in _FOLDERS if (folder := folder_inside(base, name))]
    indexes = [FileIndex(folder) for folder in (*folders, base)]
    if base.name == "annotations" and not indexes[-1].names:
        # The file is one of the usual folder annotations/, whose images are beside it.
        indexes = [FileIndex(base.parent)]
    return indexes


def _locate(
    row: Record, file: CocoFile, indexes: list[FileIndex], faults: list[Fault]
) -> _Place | None:
    """Return the place of the image of a row; add a fault and return None if it has none."""
    name = row.get("file_name")
    if not isinstance(name, str) or not name:
        faults.append(Fault(file.label, "images", "a `file_name`, a text", short_repr(name)))
        return None
    index, matches = _matches(name, file, indexes)
    if len(matches) > 1:
        found = candidates_text(matches)
        faults.append(Fault(file.label, f"image {name!r}", ONE_IMAGE, found))
        return None
    # A file with another suffix than that of an image is not in the index.
    existing = matches[0] if matches else name
    fact = read_image_fact(index.folder, existing)
    if not isinstance(fact, ImageFacts):
        faults.append(Fault(file.label, f"image {name!r}", fact.expected, fact.found))
        return None
    for key, side in (("width", fact.width), ("height", fact.height)):
        stated = row.get(key)
        number = side if stated is None else whole_number(stated)
        row[key] = stated if number is None else number
    keeps_name = _is_plain(name) and not name.endswith(f"/{existing}")
    return _Place(row, name, name if keeps_name else existing, index.folder, existing)


def _matches(name: str, file: CocoFile, indexes: list[FileIndex]) -> tuple[FileIndex, list[str]]:
    """Return the images that a name may mean, and the index that has them.

    Of several, those in a folder of the split of the file are meant, as in images/train/. An image
    of another split than that which the name tells is not meant.
    """
    folder = posixpath.dirname(file.label)
    stated = _folder_split(name.replace("\\", "/"))
    for index in indexes:
        matches = [
            match
            for match in find_image(index, name, folder)
            if stated is None or _folder_split(match) in (None, stated)
        ]
        if len(matches) > 1:
            of_split = [match for match in matches if _folder_split(match) == file.split]
            matches = of_split if len(of_split) == 1 else matches
        if matches:
            return index, matches
    return indexes[0], []


def _folder_split(name: str) -> str | None:
    """Return the split that the nearest folder of an image tells."""
    folders = reversed(posixpath.dirname(name).split("/"))
    return next((split for folder in folders if (split := split_within(folder))), None)


def _is_plain(name: str) -> bool:
    """Return whether a name may be used below images/ as it is."""
    return (
        "\\" not in name
        and "://" not in name
        and "?" not in name
        and not name.startswith(("/", "../"))
        and ("/" not in name or posixpath.normpath(name) == name)
        and ":" not in name.partition("/")[0]
    )
