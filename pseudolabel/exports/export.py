"""What a task can say of its predictions in a CSV and in COCO's results, and their writing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from pseudolabel.errors import ParamsError
from pseudolabel.files import written_aside
from pseudolabel.formats.coco import write_rows
from pseudolabel.formats.tables import Shard, shards_of
from pseudolabel.params.export import Export as Section
from pseudolabel.records import Category, Images

RESULTS, SUBMISSION = "results.json", "submission.csv"


@dataclass(frozen=True)
class Shot:
    """One image with what was found in it.

    Attributes:
        image_id: its id.
        file_name: relative to its folder.
        size: height and width, pixels.
        found: what the task's `read` gives.
    """

    image_id: int
    file_name: str
    size: tuple[int, int]
    found: Any


@dataclass(frozen=True)
class Wanted:
    """What else decides how predictions are told.

    Attributes:
        categories: the classes, in order of their ids.
        map_size: width and height that class maps are resized to, None for the image's own.
    """

    categories: tuple[Category, ...]
    map_size: tuple[int, int] | None


PerImage = Callable[[Shot, Wanted], Any]
PerObject = Callable[[Shot, Wanted], Sequence[Any]]


@dataclass(frozen=True)
class Export:
    """How a task tells its predictions.

    Attributes:
        read: yields what was found in each image of a shard (folder of predictions, shard).
        per_image: the fields of an image: one value each.
        per_object: the fields of its objects: a value for each of them, best first.
        results: COCO's results of an image, without its id.
        together: some images' predictions in the form that the task's scorer takes.
    """

    read: Callable[[Path, Shard], Iterator[Shot]]
    per_image: Mapping[str, PerImage]
    per_object: Mapping[str, PerObject]
    results: Callable[[Shot, Wanted], Iterator[dict[str, Any]]]
    together: Callable[[Sequence[Shot]], Any]

    @property
    def fields(self) -> list[str]:
        """The names of all fields, those of images first."""
        return [*OF_ALL, *self.per_image, *self.per_object]


OF_ALL: Mapping[str, PerImage] = {
    "file": lambda shot, _: shot.file_name,
    "stem": lambda shot, _: PurePosixPath(shot.file_name).stem,
    "image_id": lambda shot, _: shot.image_id,
}
"""The fields that images have in every task."""


def refuse_unknown_fields(section: Section, export: Export) -> None:
    """Raise where a column of the CSV is to hold what there is not.

    Raises:
        ParamsError: with the columns, and the fields that there are.
    """
    columns = section.columns.items()
    unknown = [f"{name}: {it!r}" for name, it in columns if it not in export.fields]
    if unknown:
        known, found = ", ".join(export.fields), "; ".join(unknown)
        raise ParamsError(f"export.columns: expected any of {known}, found {found}")


def write_exports(
    predictions: Path,
    images: Images,
    shard_images: int,
    categories: tuple[Category, ...],
    export: Export,
    section: Section,
    output: Path,
) -> None:
    """Write results.json and submission.csv of predictions, shard by shard.

    The CSV has a row for each object where a column tells something of objects, else one for each
    image.

    Args:
        predictions: the folder of shards.
        images: what was predicted for, in order.
        shard_images: how many images a shard has.
        categories: the classes.
        export: how the task tells them.
        section: the parameters.
        output: the folder to write to.
    """
    wanted = Wanted(categories, section.map_size)
    of_objects = any(it in export.per_object for it in section.columns.values())
    rows_of = object_rows if of_objects else image_rows
    with (
        written_aside(output / RESULTS) as results,
        written_aside(output / SUBMISSION) as submission,
        results.open("wb") as json_stream,
        submission.open("w", newline="", encoding="utf-8") as csv_stream,
    ):
        writer = csv.writer(csv_stream, lineterminator="\n")
        writer.writerow(section.columns)

        def told() -> Iterator[dict[str, Any]]:
            shards = shards_of(predictions, images, shard_images)
            for shard in tqdm(shards, desc="export", unit="shard", mininterval=2):
                for shot in export.read(predictions, shard):
                    writer.writerows(rows_of(shot, wanted, export, section))
                    for row in export.results(shot, wanted):
                        yield {"image_id": shot.image_id} | row

        json_stream.write(b"[\n")
        write_rows(json_stream, told())
        json_stream.write(b"\n]\n")


def image_rows(shot: Shot, wanted: Wanted, export: Export, section: Section) -> Iterator[list[Any]]:
    """Yield the one row of an image."""
    fields = {**OF_ALL, **export.per_image}
    yield [fields[it](shot, wanted) for it in section.columns.values()]


def object_rows(
    shot: Shot, wanted: Wanted, export: Export, section: Section
) -> Iterator[list[Any]]:
    """Yield a row for each object of an image."""
    count = len(shot.found)
    columns = []
    for field in section.columns.values():
        if field in export.per_object:
            columns.append(export.per_object[field](shot, wanted))
        else:
            columns.append([{**OF_ALL, **export.per_image}[field](shot, wanted)] * count)
    yield from (list(row) for row in zip(*columns, strict=True))
