"""Folders: one a class, with train, val and test around them or not."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from pseudolabel.errors import Fault
from pseudolabel.formats.images import images_below
from pseudolabel.imports.source import Builder, Found, Request

SPLITS = {"train": "gold", "val": "val", "valid": "val", "test": "test"}


def read(request: Request) -> Found:
    """Return the splits of a folder; classes are those of the first one, sorted by name."""
    source, found = request.source, Found()
    folders = {split: source / name for name, split in SPLITS.items() if (source / name).is_dir()}
    classes = list(request.classes)
    for split, folder in (folders or {request.split: source}).items():
        names = [name for name in images_below(folder) if "/" in name]
        classes = classes or sorted({name.split("/")[0] for name in names})
        if not names:
            found.faults.append(Fault(str(folder), "", "a folder of images for each class", "none"))
            continue
        builder = Builder(source, classes)
        prefix = folder.relative_to(source)
        for name in tqdm(names, desc=f"reading {split}", unit="img", mininterval=2):
            image = builder.add_image(split, (Path(prefix) / name).as_posix())
            if image is not None:
                builder.add_label(split, repr(name), image, name.split("/")[0])
        found.splits[split] = builder.finished()
        found.faults += builder.faults
    return found
