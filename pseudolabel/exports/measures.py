"""Shape measures of predicted masks, one row an object, and their distribution in each image."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel import masks
from pseudolabel.errors import DataError, Fault
from pseudolabel.exports.export import Shot, Wanted
from pseudolabel.exports.objects import class_names, read, scores
from pseudolabel.files import write_csv, written_aside
from pseudolabel.formats.csv_pairs import parse_pairs
from pseudolabel.formats.tables import shards_of
from pseudolabel.pages import paragraph, ranges, write_page
from pseudolabel.records import Images

MEASURES, BY_IMAGE, PAGE = "measures.csv", "measures_by_image.csv", "measures.html"
QUARTILES = ("q1", "median", "q3")
NAMES = (
    "area_px",
    "equivalent_diameter_px",
    "perimeter_px",
    "circularity",
    "aspect_ratio",
    "solidity",
    "feret_diameter_px",
)


def measures_of(mask: NDArray[np.bool_]) -> dict[str, float | None]:
    """Return the shape measures of one (h, w) mask, by scikit-image's regionprops.

    The perimeter is Crofton's, in four directions; circularity is 4 pi area / perimeter^2 (Cox
    1927), 1 for a disc, which a shape of a few pixels may exceed; the aspect ratio is that of the
    ellipse with the same second moments, 1 or more; solidity is the share of the convex hull;
    Feret's diameter is the largest distance across. None where a mask is too small for a measure.
    """
    # It takes a second to import, which only those need who ask for measures.
    from skimage.measure import regionprops  # noqa: PLC0415

    rows, columns = np.nonzero(mask)
    # Alone, with a border: whatever is measured at the edge is that of the mask.
    part = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    (region,) = regionprops(np.pad(part, 1).astype(np.uint8))
    perimeter, minor = float(region.perimeter_crofton), float(region.axis_minor_length)
    values = {
        "area_px": float(region.area),
        "equivalent_diameter_px": float(region.equivalent_diameter_area),
        "perimeter_px": perimeter,
        "circularity": 4 * math.pi * float(region.area) / perimeter**2,
        "aspect_ratio": float(region.axis_major_length) / minor if minor else None,
        "solidity": float(region.solidity),
        "feret_diameter_px": float(region.feret_diameter_max),
    }
    return {name: None if it is None else round(it, 4) for name, it in values.items()}


def write_measures(
    predictions: Path,
    images: Images,
    shard_images: int,
    wanted: Wanted,
    ranks: dict[str, Any],
    output: Path,
) -> None:
    """Write measures.csv, a row an object, measures_by_image.csv, in the images' order, and a page.

    Args:
        predictions: the folder of shards.
        images: what was predicted for.
        shard_images: how many images a shard has.
        wanted: has the classes.
        ranks: what each image is ordered by, by file name.
        output: the folder to write to.
    """
    by_image = []
    with (
        written_aside(output / MEASURES) as aside,
        aside.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(
            stream, ["file", "object", "class", "score", *NAMES], lineterminator="\n"
        )
        writer.writeheader()
        for shard in tqdm(
            shards_of(predictions, images, shard_images),
            desc="measure",
            unit="shard",
            mininterval=2,
        ):
            for shot in read(predictions, shard):
                rows = list(rows_of(shot, wanted))
                writer.writerows(rows)
                by_image.append(summary(shot.file_name, ranks[shot.file_name], rows))
    by_image.sort(key=lambda row: (row["order"], row["file"]))
    write_csv(output / BY_IMAGE, by_image)
    write_page(output / PAGE, "Shapes, image by image", charts(by_image))


def charts(by_image: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a chart of the objects in each image, and one of the quartiles of each measure."""
    yield paragraph("Each bar is an image, in their order, from the first quartile to the third.")
    counts = [(row["file"], (float(row["objects"]),) * 3) for row in by_image]
    yield ranges("objects", counts)
    for name in NAMES:
        rows = []
        for row in by_image:
            first, median, third = (row[f"{name}_{it}"] for it in QUARTILES)
            known = None if median is None else (first, median, third)
            rows.append((row["file"], known))
        yield ranges(name, rows)


def rows_of(shot: Shot, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the measures of each object of an image."""
    shapes = masks.decode(shot.found.masks, *shot.size)
    told = zip(class_names(shot, wanted), scores(shot, wanted), shapes, strict=True)
    for number, (name, score, mask) in enumerate(told):
        row = {"file": shot.file_name, "object": number, "class": name, "score": score}
        yield row | measures_of(mask)


def summary(file_name: str, rank: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how many objects an image has, and the quartiles of their measures."""
    row: dict[str, Any] = {"order": rank, "file": file_name, "objects": len(rows)}
    for name in NAMES:
        values = [it[name] for it in rows if it[name] is not None]
        quartiles = np.percentile(values, (25, 50, 75)).round(4).tolist() if values else [None] * 3
        for label, value in zip(QUARTILES, quartiles, strict=True):
            row[f"{name}_{label}"] = value
    return row


def ranks_of(images: Images, order: Path | None) -> dict[str, Any]:
    """Return what each image is ordered by: its place among the names, or what a CSV says.

    Names are compared with their numbers as numbers: frame_2 comes before frame_10.

    Raises:
        DataError: the CSV, with the columns file and order, has faults or lacks an image.
    """
    names = list(images.file_names)
    if order is None:
        return {name: place for place, name in enumerate(sorted(names, key=natural))}
    pairs, faults = parse_pairs(order, "order")
    said = dict(pairs)
    for name in names:
        if not is_number(said.get(name)):
            found = repr(said[name]) if name in said else "none"
            faults.append(Fault(order.name, name, "an order, a number", found))
    if faults:
        raise DataError(faults)
    return {name: float(said[name]) for name in names}


def natural(name: str) -> list[Any]:
    """Return a name as texts and numbers in turn, which sort as people would."""
    return [int(it) if it.isdecimal() else it for it in re.split(r"([0-9]+)", name)]


def is_number(text: str | None) -> bool:
    """Return whether a text is a finite number."""
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False
