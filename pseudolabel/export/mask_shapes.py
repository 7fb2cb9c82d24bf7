"""Shape measures of predicted masks: one row per object, and quartiles per image."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core import masks
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.files import write_csv, written_aside
from pseudolabel.core.records import Images
from pseudolabel.export.objects import object_rows
from pseudolabel.export.submission import ExportOptions, ImagePrediction, Row, image_predictions
from pseudolabel.formats.csv_pairs import parse_pairs
from pseudolabel.formats.shards import Shard

_MEASURES, _BY_IMAGE = "measures.csv", "measures_by_image.csv"
_QUARTILES = ("q1", "median", "q3")
_MEASURE_NAMES = (
    "area_px",
    "equivalent_diameter_px",
    "perimeter_px",
    "circularity",
    "aspect_ratio",
    "solidity",
    "feret_diameter_px",
)


def _mask_measures(mask: NDArray[np.bool_]) -> dict[str, float | None]:
    """Return the shape measures of one (h, w) mask, by scikit-image's regionprops.

    The perimeter is Crofton's, in four directions. Circularity is 4 pi area / perimeter^2 (Cox
    1927): 1 for a disc, and sometimes more for a shape of a few pixels. The aspect ratio belongs to
    the ellipse with the same second moments; it is 1 or more. Solidity is the share of the convex
    hull that the mask fills. Feret's diameter is the largest distance between two points. A
    measure is None if the mask is too small.
    """
    # The import takes a second: only exports with measures need it.
    from skimage.measure import regionprops  # noqa: PLC0415

    rows, columns = np.nonzero(mask)
    # Cropped, with a border: the image's edge then does not change any measure.
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
    return {name: None if value is None else round(value, 4) for name, value in values.items()}


def write_measures(
    shards: Iterable[Shard], options: ExportOptions, ranks: dict[str, Any], output: Path
) -> None:
    """Write measures.csv, one row per object, and measures_by_image.csv, ordered by the ranks.

    Args:
        shards: the predictions.
        options: the classes.
        ranks: the value that each image is ordered by, by file name.
        output: the folder to write to.
    """
    by_image = []
    with (
        written_aside(output / _MEASURES) as aside,
        aside.open("w", newline="", encoding="utf-8") as stream,
    ):
        columns = ["file", "object", "class", "score", *_MEASURE_NAMES]
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        for shard in shards:
            for image in image_predictions("objects", shard):
                rows = _measure_rows(image, options)
                writer.writerows(rows)
                by_image.append(_summary(image.file_name, ranks[image.file_name], rows))
    by_image.sort(key=lambda row: (row["order"], row["file"]))
    write_csv(output / _BY_IMAGE, by_image)


def _measure_rows(image: ImagePrediction, options: ExportOptions) -> list[Row]:
    """Return the measures of each object of an image."""
    shapes = masks.decode(image.prediction.masks, *image.size)
    objects = zip(object_rows(image, options), shapes, strict=True)
    return [
        {"file": image.file_name, "object": number, "class": row["class"], "score": row["score"]}
        | _mask_measures(mask)
        for number, (row, mask) in enumerate(objects)
    ]


def _summary(file_name: str, rank: Any, rows: Sequence[Row]) -> Row:
    """Return the number of objects of an image, and the quartiles of their measures."""
    summary: Row = {"order": rank, "file": file_name, "objects": len(rows)}
    for name in _MEASURE_NAMES:
        values = [row[name] for row in rows if row[name] is not None]
        quartiles = np.percentile(values, (25, 50, 75)).round(4).tolist() if values else [None] * 3
        for label, value in zip(_QUARTILES, quartiles, strict=True):
            summary[f"{name}_{label}"] = value
    return summary


def image_ranks(images: Images, order: Path | None) -> dict[str, Any]:
    """Return the value by which each image is ordered: the rank of its name, or a CSV's value.

    Numbers in names are compared as numbers: frame_2 comes before frame_10.

    Args:
        images: the images.
        order: a CSV with the columns file and order, None for the order of the names.

    Raises:
        DataError: the CSV has faults or lacks an image.
    """
    names = list(images.file_names)
    if order is None:
        return {name: rank for rank, name in enumerate(sorted(names, key=_natural_key))}
    pairs, faults = parse_pairs(order, "order")
    values = dict(pairs)
    for name in names:
        if not _is_number(values.get(name)):
            found = repr(values[name]) if name in values else "none"
            faults.append(Fault(order.name, name, "an order, a number", found))
    if faults:
        raise DataError(faults)
    return {name: float(values[name]) for name in names}


def _natural_key(name: str) -> list[Any]:
    """Return a name as alternating texts and numbers."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if part.isdecimal() else part for part in parts]


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False
