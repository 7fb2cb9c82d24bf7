"""Predictions for many images, shard by shard: a kill loses at most one shard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.core.records import Images
from pseudolabel.formats.shards import shard_path, write_stabilities
from pseudolabel.predictions.batches import Predictor, Stability


@dataclass(frozen=True)
class Part:
    """One of several parts of the shards, which different processes can label.

    Attributes:
        number: of this part, from 1.
        parts: how many parts there are.
    """

    number: int = 1
    parts: int = 1

    def shards(self, images: int, shard_images: int) -> list[int]:
        """Return the numbers of the part's shards: every `parts`-th one."""
        return list(range(self.number - 1, -(-images // shard_images), self.parts))


def label_missing_shards(
    images: Images,
    load_predictor: Callable[[], Predictor],
    folder: Path,
    shard_images: int,
    stage: str = "pseudo_label",
    part: Part = Part(),
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
    predictor = load_predictor()
    writer = predictor.shard_writer(folder)
    wanted = images[np.concatenate([rows[number] for number in missing])]
    shard, labelled = 0, 0
    unreadable: list[str] = []
    stabilities: list[Stability] = []
    with progress:
        for batch in predictor.predict(wanted):
            if batch.predictions is not None:
                writer.add(batch.predictions)
            stabilities += [batch.stability] if batch.stability is not None else []
            unreadable += [str(wanted.file_names[row]) for row in batch.unreadable]
            labelled += batch.images
            progress.update(batch.images)
            if labelled == len(rows[missing[shard]]):
                path = shard_path(folder, missing[shard])
                # Stabilities first, because a shard file marks the shard as complete.
                _write_shard_stabilities(path, stabilities)
                writer.close(path, unreadable)
                shard, labelled, unreadable, stabilities = shard + 1, 0, [], []


def _rows(shard: int, shard_images: int, images: int) -> NDArray[np.int64]:
    """Return the rows of the images of a shard."""
    begin = shard * shard_images
    return np.arange(begin, min(begin + shard_images, images))


def _write_shard_stabilities(shard: Path, parts: list[Stability]) -> None:
    if parts:
        ids = np.concatenate([part.image_ids for part in parts])
        write_stabilities(shard, ids, np.concatenate([part.values for part in parts]))
