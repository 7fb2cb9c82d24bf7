"""From predictions to silver labels, shard by shard: memory stays flat in the pool's size."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pseudolabel.errors import SilverError
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.filters import IMAGE_REASONS, Counts, Judged, filter_predictions
from pseudolabel.formats import tables
from pseudolabel.formats.coco import read_coco
from pseudolabel.params import Filter
from pseudolabel.records import Annotations, Category, Dataset, Images

REPORT = "report.json"
AT_ONCE = 2
"""Shards filtered at the same time: numpy works outside Python's lock."""


@dataclass(frozen=True)
class Shard:
    """One shard of predictions with the images it is about."""

    path: Path
    images: Images


def write_silver(pool: Path, predictions: Path, output: Path, section: Filter) -> None:
    """Filter the shards of `predictions` into `output`, with a report and a decision an image.

    Raises:
        SilverError: nothing is left, or one class only where gold has several; the report is
            written all the same.
    """
    dataset = read_coco(pool)
    teacher = read_json(predictions / tables.TEACHER)
    shards = list(shards_of(predictions, dataset.images, teacher["shard_images"]))
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        judged = judge_shards(shards, dataset.categories, section, aside)
        report = judged.counts.report(dataset.categories)
        tables.write_decisions(
            aside / tables.DECISIONS,
            dataset.images.ids,
            judged.boxes_left,
            [IMAGE_REASONS[reason] if reason >= 0 else "" for reason in judged.image_reasons],
        )
        write_json(aside / REPORT, report)
        write_json(aside / tables.TEACHER, teacher)
    refuse_useless(judged.counts, dataset, output)


def shards_of(predictions: Path, images: Images, size: int) -> Iterator[Shard]:
    """Yield every shard of predictions with its images, in order."""
    for number, begin in enumerate(range(0, len(images), size)):
        yield Shard(tables.shard_path(predictions, number), images[begin : begin + size])


def judge_shards(
    shards: list[Shard], categories: tuple[Category, ...], section: Filter, output: Path
) -> Judged:
    """Filter all shards, write what each keeps, and return all but the annotations."""
    total = Counts.nothing(len(categories))
    boxes_left, reasons = [], []

    def judge(shard: Shard) -> Judged:
        judged = judge_shard(shard, categories, section)
        tables.write_shard(output / shard.path.name, judged.silver)
        return judged

    with ThreadPoolExecutor(AT_ONCE) as executor:
        progress = tqdm(total=len(shards), desc="filter", unit="shard", mininterval=2)
        for begin in range(0, len(shards), AT_ONCE):
            for judged in executor.map(judge, shards[begin : begin + AT_ONCE]):
                total += judged.counts
                boxes_left.append(judged.boxes_left)
                reasons.append(judged.image_reasons)
                progress.update()
        progress.close()
    return Judged(Annotations.empty(), np.concatenate(boxes_left), np.concatenate(reasons), total)


def judge_shard(shard: Shard, categories: tuple[Category, ...], section: Filter) -> Judged:
    """Filter one shard."""
    broken = np.array(tables.read_unreadable(shard.path), str)
    unreadable = np.isin(shard.images.file_names.astype(str), broken)
    predictions = tables.read_shard(shard.path)
    return filter_predictions(predictions, shard.images, unreadable, categories, section)


def refuse_useless(counts: Counts, pool: Dataset, output: Path) -> None:
    """Raise where training on the silver would make no sense.

    Raises:
        SilverError: there is none, or all of it is of one class though there are several.
    """
    classes = int((counts.kept > 0).sum())
    report = f"{output / REPORT} says what was dropped and why"
    if not counts.images_kept or not counts.kept.sum():
        raise SilverError(
            f"no silver label is left of {counts.dropped.sum()} predictions on "
            f"{len(pool.images)} images: lower filter.score, or train a better teacher; {report}"
        )
    if classes == 1 and len(pool.categories) > 1:
        name = pool.categories[int(counts.kept.argmax())].name
        raise SilverError(
            f"all {counts.kept.sum()} silver labels are {name!r}, one of {len(pool.categories)} "
            f"classes: give filter.score by class, or train a better teacher; {report}"
        )
