"""Gold and silver side by side, every row with its provenance: what a student is trained on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.errors import DataError, Fault
from pseudolabel.files import read_json, written_aside
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco, write_coco_parts
from pseudolabel.formats.label_maps import MASKS
from pseudolabel.records import Annotations, Dataset, Images, positions


def merge(prepared: Path, silver: Path, output: Path) -> None:
    """Write the folders gold and silver into `output`; ids are unique over both.

    Gold is what prepare wrote, unchanged. Silver holds the pool's images that the filter kept,
    each annotation with the round, the score and the hash of the weights that it comes from, and
    its label maps where labels are pixels, or the probabilities of all classes where they are
    classes of images.

    Raises:
        DataError: silver is about images that are not in the pool.
    """
    gold, pool = read_coco(prepared / "gold" / FILE), read_coco(prepared / "pool" / FILE)
    teacher = read_json(silver / tables.TEACHER)
    images = silver_images(pool.images, tables.kept_images(silver / tables.DECISIONS), gold.images)
    first_id = int(gold.annotations.ids.max(initial=0)) + 1
    shards = tqdm(tables.shard_paths(silver), desc="merge", unit="shard", mininterval=2)
    parts = (tables.read_shard(path) for path in shards)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        shutil.copytree(prepared / "gold", aside / "gold")
        if (silver / MASKS).is_dir():
            shutil.copytree(silver / MASKS, aside / "silver" / MASKS)
        if (silver / tables.PROBABILITIES).is_dir():
            gather_probabilities(silver / tables.PROBABILITIES, images, aside / "silver")
        write_coco_parts(
            aside / "silver" / FILE,
            Dataset(images, Annotations.empty(), pool.categories),
            with_ids(only_on(images, parts), first_id),
            {teacher["round"]: teacher["weights"]},
        )


def gather_probabilities(shards: Path, images: Images, folder: Path) -> None:
    """Write the probabilities of some images, a row each in their order, shard by shard."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = None
    for path in tables.shard_paths(shards):
        found = tables.read_probabilities(path)
        if rows is None:
            shape = len(images), found.values.shape[1]
            rows = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                folder / tables.SOFT_LABELS, "w+", np.float32, shape
            )
        kept = np.isin(found.image_ids, images.ids)
        rows[positions(found.image_ids[kept], images.ids)] = found.values[kept]


def silver_images(pool: Images, kept: NDArray[np.int64], gold: Images) -> Images:
    """Return the pool's images that were kept.

    Raises:
        DataError: an image that was kept is gold's, or is not the pool's.
    """
    foreign = kept[~np.isin(kept, pool.ids) | np.isin(kept, gold.ids)]
    if len(foreign):
        raise DataError(
            [Fault("silver", f"image id {it}", "an image of the pool", "another") for it in foreign]
        )
    return pool[np.isin(pool.ids, kept)]


def only_on(images: Images, parts: Iterable[Annotations]) -> Iterator[Annotations]:
    """Yield the annotations on `images`, sorted by image within a part.

    Raises:
        DataError: a part has annotations on other images.
    """
    for part in parts:
        known = np.isin(part.image_ids, images.ids)
        if not known.all():
            strays = np.unique(part.image_ids[~known])
            raise DataError(
                [
                    Fault("silver", f"image id {it}", "an image that was kept", "another")
                    for it in strays
                ]
            )
        yield part[np.argsort(part.image_ids, kind="stable")]


def with_ids(parts: Iterable[Annotations], first_id: int) -> Iterator[Annotations]:
    """Yield the parts with ids that count up from `first_id`."""
    for part in parts:
        yield replace(part, ids=np.arange(first_id, first_id + len(part), dtype=np.int64))
        first_id += len(part)
