"""Merge gold and silver into the training data of a student; each annotation has its source."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.columns import positions
from pseudolabel.core.datasets import TUNING, concatenate, sort_images
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import read_json, written_aside
from pseudolabel.core.records import Annotations, Dataset, Images
from pseudolabel.formats.coco_writer import write_coco, write_coco_parts
from pseudolabel.formats.label_maps import LABEL_MAPS
from pseudolabel.formats.shards import TEACHER_FILE, read_probabilities, read_shard, shard_paths
from pseudolabel.formats.silver_folder import DECISIONS, PROBABILITIES, SOFT_LABELS, kept_images
from pseudolabel.formats.split_folder import COCO_FILE, SplitFolder
from pseudolabel.silver.partial import gold_with_additions

_HELD_OUT = ("val", TUNING)
"""The splits with gold labels, other than gold and test."""


def merge(prepared: Path, silver: Path, output: Path) -> None:
    """Write the folders gold and silver into `output`; ids are unique over both.

    Gold is a copy of the prepared gold, with objects of silver where gold is partly labelled.
    Silver has the images of the pool that the filter kept. Each silver annotation has its round,
    its score and the hash of the teacher's weights. Label maps (pixels) or the probabilities of all
    classes (classes) are beside the COCO file.

    Args:
        prepared: the folder of prepared data.
        silver: the silver folder.
        output: the folder to write.

    Raises:
        DataError: silver has images that are not in the pool.
    """
    gold, pool = SplitFolder(prepared / "gold").read(), SplitFolder(prepared / "pool").read()
    teacher = read_json(silver / TEACHER_FILE)
    images = _silver_images(pool.images, kept_images(silver / DECISIONS), gold.images)
    teachers = {teacher["round"]: teacher["weights"]}
    with_additions = gold_with_additions(gold, silver, prepared)
    labels = gold if with_additions is None else with_additions
    first_id = int(labels.annotations.ids.max(initial=0)) + 1
    shards = tqdm(shard_paths(silver), desc="merge", unit="shard", mininterval=2)
    parts = (read_shard(path) for path in shards)
    with written_aside(output) as aside:
        target = SplitFolder(aside / "silver")
        target.path.mkdir(parents=True)
        shutil.copytree(prepared / "gold", aside / "gold")
        if with_additions is not None:
            write_coco(aside / "gold" / COCO_FILE, with_additions, teachers)
        if SplitFolder(silver).has_label_maps:
            shutil.copytree(silver / LABEL_MAPS, target.path / LABEL_MAPS)
        if (silver / PROBABILITIES).is_dir():
            _gather_probabilities(silver / PROBABILITIES, images, target.path / SOFT_LABELS)
        write_coco_parts(
            target.coco_file,
            Dataset(images, Annotations.empty(), pool.categories),
            _number_annotations(_annotations_on(images, parts), first_id),
            teachers,
        )


def merge_everything(data: Path, prepared: Path, output: Path) -> None:
    """Write training data with all labels except test: gold includes val and tuning.

    Args:
        data: the merged folder of the last round, or prepared data if the last round is 0.
        prepared: the folder of prepared data.
        output: the folder to write.
    """
    # Merged gold may have objects of silver; their teachers are in its file.
    splits = [SplitFolder(data / "gold"), *(SplitFolder(prepared / name) for name in _HELD_OUT)]
    rows = read_json(splits[0].coco_file)["annotations"]
    teachers = {row["round"]: row["teacher"] for row in rows if "teacher" in row}
    with written_aside(output) as aside:
        gold = SplitFolder(aside / "gold")
        datasets = [split.read() for split in splits]
        write_coco(gold.coco_file, sort_images(concatenate(datasets)), teachers)
        for split, dataset in zip(splits, datasets, strict=True):
            ids = dataset.images.ids.tolist()
            split.copy_label_maps(gold, dict(zip(ids, ids, strict=True)))
        if (data / "silver").is_dir():
            shutil.copytree(data / "silver", aside / "silver")


def _gather_probabilities(shards: Path, images: Images, output: Path) -> None:
    """Write the probabilities of some images as one .npy array, one row per image."""
    rows = None
    for path in shard_paths(shards):
        found = read_probabilities(path)
        if rows is None:
            shape = len(images), found.values.shape[1]
            rows = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                output, "w+", np.float32, shape
            )
        kept = np.isin(found.image_ids, images.ids)
        rows[positions(found.image_ids[kept], images.ids)] = found.values[kept]


def _silver_images(pool: Images, kept: NDArray[np.int64], gold: Images) -> Images:
    """Return the images of the pool that the filter kept."""
    foreign = kept[~np.isin(kept, pool.ids) | np.isin(kept, gold.ids)]
    if len(foreign):
        expected = "an image of the pool"
        raise DataError(
            [Fault("silver", f"image id {number}", expected, "another image") for number in foreign]
        )
    return pool[np.isin(pool.ids, kept)]


def _annotations_on(images: Images, parts: Iterable[Annotations]) -> Iterator[Annotations]:
    """Yield the parts, each sorted by image; raise if an annotation is on another image."""
    for part in parts:
        known = np.isin(part.image_ids, images.ids)
        if not known.all():
            unknown = np.unique(part.image_ids[~known])
            expected = "an image that was kept"
            raise DataError(
                [
                    Fault("silver", f"image id {number}", expected, "another image")
                    for number in unknown
                ]
            )
        yield part[np.argsort(part.image_ids, kind="stable")]


def _number_annotations(parts: Iterable[Annotations], first_id: int) -> Iterator[Annotations]:
    """Yield the parts with annotation ids that count up from `first_id`."""
    for part in parts:
        yield replace(part, ids=np.arange(first_id, first_id + len(part), dtype=np.int64))
        first_id += len(part)
