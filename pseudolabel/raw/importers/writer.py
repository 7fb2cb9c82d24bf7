"""Writing the raw layout: images first, and the COCO file that lists them last."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson
from tqdm import tqdm

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import hash_file, path_inside, written_aside
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.label_maps import LABEL_MAPS, read_map, write_map
from pseudolabel.formats.safe_names import describe_class_fault
from pseudolabel.raw.importers.base import ImportedSplit, ImportResult, MapSource
from pseudolabel.raw.importers.gold_classes import use_gold_classes


def write_raw_root(found: ImportResult, root: Path) -> None:
    """Write the imported splits to a raw root, which may have other splits already.

    Images without labels are copied to images/: without a pool.json, they are part of the pool.

    Raises:
        DataError: the import has faults, or the root already has one of the splits, or a file of
            the root would be overwritten. Nothing is written in these cases.
    """
    if not found.faults:
        use_gold_classes(found, root)
    faults = list(found.faults)
    for split, content in found.splits.items():
        faults += _class_faults(split, content)
        path = root / f"{split}.json"
        if path.exists():
            faults.append(Fault(str(path), "", "a root without this split", "one that has it"))
        faults += _find_clashes(root / IMAGES, content.files)
        faults += _find_clashes(root / LABEL_MAPS, content.maps)
    taken = {name for content in found.splits.values() for name in content.files}
    unlabelled = {name: path for name, path in found.unlabelled.items() if name not in taken}
    faults += _find_clashes(root / IMAGES, unlabelled)
    if faults:
        raise DataError(faults)
    _copy_files(root / IMAGES, unlabelled, "images without labels")
    for split, content in found.splits.items():
        _copy_files(root / IMAGES, content.files, f"images of {split}")
        _write_maps(root / LABEL_MAPS, content.maps, f"masks of {split}")
        _write_coco_file(root / f"{split}.json", content)


def _class_faults(split: str, content: ImportedSplit) -> list[Fault]:
    """Return a fault for each class whose name would act where it is shown."""
    names = [str(row.get("name")) for row in content.content.get("categories", [])]
    faults = ((name, describe_class_fault(name)) for name in names)
    return [
        Fault(split, f"class {name!r}", expected, "another name")
        for name, expected in faults
        if expected is not None
    ]


def _find_clashes(folder: Path, files: Mapping[str, Path | MapSource]) -> list[Fault]:
    """Return a fault for each file that would leave its folder or overwrite a different file."""
    faults = []
    for name, source in files.items():
        target = path_inside(folder, name)
        if target is None:
            faults.append(Fault(repr(name), "", f"a path inside {folder.name}/", "another path"))
        elif target.exists() and not _is_same(target, source):
            expected = (
                f"no file, or a copy of {source if isinstance(source, Path) else source.path}"
            )
            faults.append(Fault(str(target), "", expected, "another file"))
    return faults


def _is_same(target: Path, source: Path | MapSource) -> bool:
    """Return whether a file has the content that would be written."""
    if isinstance(source, Path):
        return hash_file(target) == hash_file(source)
    return np.array_equal(read_map(target), source.pixels())


def _write_maps(folder: Path, maps: dict[str, MapSource], label: str) -> None:
    """Write label maps as grey PNG; existing files are not overwritten."""
    if not maps:
        return
    for name, source in tqdm(maps.items(), desc=label, unit="file", mininterval=2):
        if not (folder / name).exists():
            write_map(folder / name, source.pixels())


def _copy_files(folder: Path, files: dict[str, Path], label: str) -> None:
    """Copy files to a folder; existing files are not overwritten."""
    if not files:
        return
    for name, source in tqdm(files.items(), desc=label, unit="file", mininterval=2):
        target = folder / name
        if not target.exists():
            with written_aside(target) as aside:
                shutil.copyfile(source, aside)


def _write_coco_file(path: Path, split: ImportedSplit) -> None:
    """Write the COCO file of a split with all its fields, in their original order."""
    with written_aside(path) as aside:
        aside.write_bytes(orjson.dumps(split.content, option=orjson.OPT_APPEND_NEWLINE))
