"""Predictions for many images, shard by shard: a kill loses at most one shard."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.files import remove
from pseudolabel.core.records import Images
from pseudolabel.formats.shards import shard_path, stability_path, write_stabilities
from pseudolabel.predictions.batches import BatchPredictions, Predictor, Stability


@dataclass(frozen=True)
class Part:
    """One of several parts of the shards, which different processes can label.

    Attributes:
        number: of this part, from 1.
        parts: how many parts there are.
    """

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Return the part that a text such as 3/16 names.

        Raises:
            ArgumentTypeError: it names no part.
        """
        found = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text)
        if found is None or int(found[1]) > int(found[2]):
            raise ArgumentTypeError(f"expected a part such as 3/16, found {text!r}")
        return cls(int(found[1]), int(found[2]))

    def shards(self, images: int, shard_images: int) -> list[int]:
        """Return the numbers of the part's shards: every `parts`-th one."""
        return list(range(self.number - 1, -(-images // shard_images), self.parts))


WHOLE = Part(1, 1)
_OWN = ".labelling-"
"""The beginning of the name of a folder that one process writes to."""


def label_missing_shards(
    images: Images,
    load_predictor: Callable[[], Predictor],
    folder: Path,
    shard_images: int,
    stage: str = "pseudo_label",
    part: Part = WHOLE,
) -> None:
    """Label the images of each shard that is missing; a shard appears when it is complete.

    Args:
        images: all images, in order.
        load_predictor: loads the model; not called if no shard is missing.
        folder: the folder of shards.
        shard_images: number of images per shard.
        stage: the name that the progress bar shows.
        part: which shards to label.
    """
    shards = part.shards(len(images), shard_images)
    missing = [number for number in shards if not shard_path(folder, number).exists()]
    if not missing:
        return
    rows = {number: _rows(number, shard_images, len(images)) for number in shards}
    total, left = (sum(len(rows[number]) for number in some) for some in (shards, missing))
    done = total - left
    if done:
        print(f"{stage} resumes at image {done:,} of {total:,}", flush=True)
    progress = tqdm(total=total, initial=done, desc=stage, unit="img", mininterval=2)
    wanted = images[np.concatenate([rows[number] for number in missing])]
    folder.mkdir(exist_ok=True)
    # In a folder of its own: another process may be labelling the same shards.
    with progress, TemporaryDirectory(prefix=_OWN, dir=folder) as own:
        writer = _ShardWriter(load_predictor(), Path(own), folder)
        shards_left = iter(missing)
        shard, labelled = next(shards_left), 0
        for batch in writer.predictor.predict(wanted):
            writer.add(batch, wanted)
            labelled += batch.images
            progress.update(batch.images)
            if labelled == len(rows[shard]):
                writer.close(shard)
                shard, labelled = next(shards_left, -1), 0


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left in a folder of shards and its subfolders."""
    for path in folder.rglob(f"{_OWN}*"):
        remove(path)


class _ShardWriter:
    """Collects what a predictor yields, and writes whole shards.

    Args:
        predictor: the predictor.
        own: a folder of this process.
        folder: the folder of shards, in which they appear when they are complete.
    """

    def __init__(self, predictor: Predictor, own: Path, folder: Path) -> None:
        self.predictor, self.own, self.folder = predictor, own, folder
        self.writer = predictor.shard_writer(own)
        self.unreadable: list[str] = []
        self.stabilities: list[Stability] = []

    def add(self, batch: BatchPredictions, images: Images) -> None:
        """Add a batch of these images to the current shard."""
        if batch.predictions is not None:
            self.writer.add(batch.predictions)
        self.stabilities += [batch.stability] if batch.stability is not None else []
        self.unreadable += [str(images.file_names[row]) for row in batch.unreadable]

    def close(self, number: int) -> None:
        """Write the current shard."""
        path = shard_path(self.own, number)
        if self.stabilities:
            ids = np.concatenate([part.image_ids for part in self.stabilities])
            values = np.concatenate([part.values for part in self.stabilities])
            write_stabilities(path, ids, values)
        self.writer.close(path, self.unreadable)
        # Stabilities first, because a shard file marks the shard as complete.
        for file in (stability_path(path), path):
            if file.exists():
                file.replace(self.folder / file.name)
        self.unreadable, self.stabilities = [], []


def _rows(shard: int, shard_images: int, images: int) -> NDArray[np.int64]:
    """Return the rows of the images of a shard."""
    begin = shard * shard_images
    return np.arange(begin, min(begin + shard_images, images))
