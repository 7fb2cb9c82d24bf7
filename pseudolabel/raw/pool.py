"""The pool of a raw root without pool.json: all images that no other file names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pseudolabel.core.errors import Fault
from pseudolabel.core.files import describe_outside, path_inside
from pseudolabel.core.records import Images
from pseudolabel.formats.image_files import IMAGES, ImageFacts
from pseudolabel.manifest.manifest import Manifest


def links_outside(root: Path, unreadable: list[str]) -> Iterator[Fault]:
    """Yield a fault for each link in images/ that leads out of it, to a folder or to an image.

    Args:
        root: the raw root.
        unreadable: the files of the pool that cannot be read.
    """
    folder = root / IMAGES
    links = [
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, names, _ in os.walk(folder)
        for name in names
        if (Path(parent) / name).is_symlink()
    ]
    for name in sorted([*links, *unreadable]):
        if path_inside(folder, name) is None:
            found = describe_outside(folder, name)
            yield Fault(IMAGES, "", f"links to files inside {IMAGES}/", found)


def scan_pool(
    manifest: Manifest, named: set[str], deep: list[str], max_pixels: int | None
) -> tuple[Images, list[str]]:
    """Return the images in images/ that are in no JSON file, and the files that cannot be read.

    Args:
        manifest: the files of the raw root.
        named: the images in the JSON files.
        deep: the list to which names of images of more than 8 bits are added.
        max_pixels: an image of more pixels cannot be used; None for no limit.
    """
    known = {os.path.normpath(name) for name in named}
    names = [name for name in manifest.images if name not in known]
    kept: list[tuple[str, ImageFacts]] = []
    unreadable = []
    facts = manifest.usable_facts(names, "the pool", max_pixels)
    for name, fact in zip(names, facts, strict=True):
        if isinstance(fact, Fault):
            unreadable.append(name.encode(errors="backslashreplace").decode())
        else:
            kept.append((name, fact))
            deep += [name] if fact.is_deep else []
    images = Images.build(
        np.arange(1, len(kept) + 1).tolist(),
        [name for name, _ in kept],
        [fact.width for _, fact in kept],
        [fact.height for _, fact in kept],
        [fact.digest for _, fact in kept],
    )
    return images, unreadable
