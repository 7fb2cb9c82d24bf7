"""Repairing a raw root into a new root, as far as is safe; the old root is never changed."""

from __future__ import annotations

import codecs
import shutil
from pathlib import Path
from typing import Any

import orjson
from tqdm import tqdm

from pseudolabel.core.bucket import address_of
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import path_inside, written_aside
from pseudolabel.core.regular_files import read_content
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.manifest.manifest import require_folders
from pseudolabel.raw.repair_ids import drop_unused_categories, repair_ids
from pseudolabel.raw.repair_labels import repair_labels
from pseudolabel.raw.repair_names import repair_names
from pseudolabel.raw.repair_sizes import repair_sizes

_SPLITS = ("gold", "val", "test", "pool")


def repair(root: Path, new: Path, task: str) -> list[str]:
    """Copy a raw root to a new one, repair its COCO files, and return one line per repair.

    Only what is certainly wrong is changed: all other faults remain. A repaired root has nothing
    more to repair.

    Args:
        root: the raw root.
        new: the new root.
        task: the task that the labels are for.

    Raises:
        DataError: `root` has no images/, or has a pipe or a device, or `new` exists already or lies
            inside `root`.
    """
    if (address := address_of(root)) is not None:
        raise DataError([Fault(address, "", "a folder, copied from the bucket", "a bucket")])
    require_folders(root)
    if new.exists() or new.resolve().is_relative_to(root.resolve()):
        raise DataError([Fault(str(new), "", "a new folder outside the old one", "another folder")])
    special = [path for path in sorted(root.rglob("*")) if _is_special(path)]
    if special:
        found = "a pipe, a socket or a device"
        raise DataError([Fault(str(path), "", "a file", found) for path in special])
    contents = {split: _read_object(root / f"{split}.json") for split in _SPLITS}
    lines = _repair_contents(contents, root, task)
    with written_aside(new) as aside:
        _copy_root(root, aside)
        for split, content in contents.items():
            path = aside / f"{split}.json"
            if lines[split] or (content and path.is_symlink()):
                # Writing to a link would change the file that it leads to.
                path.unlink()
                path.write_bytes(orjson.dumps(content))
    return [f"{split}.json: {line}" for split in _SPLITS for line in lines[split]]


def _is_special(path: Path) -> bool:
    """Return whether a path is neither a file, a folder nor a link."""
    return not (path.is_symlink() or path.is_file() or path.is_dir())


def _copy_root(root: Path, new: Path) -> None:
    """Copy a raw root.

    Links to files of the root or of DVC's cache become files, so that the new root needs neither.
    All other links are copied as links, because they lead out of the root.
    """
    files = sum(1 for path in root.rglob("*") if path.is_file())
    with tqdm(total=files, desc="copying", unit="file", mininterval=2) as progress:

        def copy(source: str, target: str) -> str:
            progress.update()
            return shutil.copyfile(source, target, follow_symlinks=False)

        shutil.copytree(root, new, symlinks=True, copy_function=copy)
        for link in [path for path in new.rglob("*") if path.is_symlink()]:
            source = path_inside(root, link.relative_to(new).as_posix())
            if source is not None and source.is_file():
                link.unlink()
                copy(str(source.resolve()), str(link))


def _read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if the file has none: no fault of repair."""
    try:
        content = orjson.loads(read_content(path).removeprefix(codecs.BOM_UTF8))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _repair_contents(
    contents: dict[str, dict[str, Any]], root: Path, task: str
) -> dict[str, list[str]]:
    """Repair the contents of the COCO files in place, and return the lines of each file."""
    kind, has_maps = TASKS[task].kind, (root / LABEL_MAPS).is_dir()
    lines = {split: list(repair_ids(content)) for split, content in contents.items()}
    for split, content in contents.items():
        lines[split] += repair_names(content, root / IMAGES)
        repairs, sizes = repair_sizes(content, root / IMAGES)
        lines[split] += repairs
        if kind == "objects" or (kind == "pixels" and not has_maps):
            lines[split] += repair_labels(content, sizes)
    all_read = all(contents[split] or not (root / f"{split}.json").exists() for split in _SPLITS)
    if all_read and not has_maps:
        # Last, because labels are dropped above. Nobody knows whether a file that cannot be read,
        # or a label map, has the category.
        for split, dropped in drop_unused_categories(contents).items():
            lines[split] += dropped
    return lines
