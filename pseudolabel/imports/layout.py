"""Writing the raw layout: images first, the file that names them last."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
from tqdm import tqdm

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import hash_file, inside, written_aside
from pseudolabel.formats.images import IMAGES
from pseudolabel.formats.label_maps import MASKS
from pseudolabel.imports.source import Found, Split


def write_layout(found: Found, root: Path) -> None:
    """Write splits into a raw root, which may have others already.

    Raises:
        DataError: the reader found faults, a split is there already, or a file of the root has the
            name of another image; nothing is written then.
    """
    faults = list(found.faults)
    for split, content in found.splits.items():
        path = root / f"{split}.json"
        if path.exists():
            faults.append(Fault(str(path), "", "a root without this split", "one that has it"))
        for folder, files in ((IMAGES, content.files), (MASKS, content.maps)):
            faults += clashes(root / folder, files)
    if faults:
        raise DataError(faults)
    for split, content in found.splits.items():
        copy_files(root / IMAGES, content.files, f"images of {split}")
        copy_files(root / MASKS, content.maps, f"masks of {split}")
        write_coco_file(root / f"{split}.json", content)


def clashes(folder: Path, files: dict[str, Path]) -> list[Fault]:
    """Return a fault for each file that would leave its folder or lie on another one."""
    faults = []
    for name, source in files.items():
        target = inside(folder, name)
        if target is None:
            faults.append(Fault(repr(name), "", f"a path inside {folder.name}/", "another"))
        elif target.exists() and hash_file(target) != hash_file(source):
            faults.append(Fault(str(target), "", f"no file, or a copy of {source}", "another file"))
    return faults


def copy_files(folder: Path, files: dict[str, Path], label: str) -> None:
    """Copy files into a folder, those that are there already left alone."""
    if not files:
        return
    for name, source in tqdm(files.items(), desc=label, unit="file", mininterval=2):
        target = folder / name
        if not target.exists():
            with written_aside(target) as aside:
                shutil.copyfile(source, aside)


def write_coco_file(path: Path, split: Split) -> None:
    """Write a split's COCO file with all that it holds, in the order that it had."""
    with written_aside(path) as aside:
        aside.write_bytes(orjson.dumps(split.content, option=orjson.OPT_APPEND_NEWLINE))
