"""The report of the prepared data: one table per trait for DVC's plots, and one HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.datasets import concatenate
from pseudolabel.core.files import write_csv
from pseudolabel.core.records import Dataset
from pseudolabel.formats.image_header import UnreadableImageError
from pseudolabel.pages import html
from pseudolabel.pages.data_tables import data_tables, in_order
from pseudolabel.pages.drawing import draw_annotations, read_rgb, to_jpeg
from pseudolabel.pages.palette import class_colour
from pseudolabel.splits.distributions import Distribution, deviations, distributions_of

_PAGE, _PLOTS = "report.html", "plots"
_IMAGES_SHOWN = 12
"""Images of each split on its contact sheet."""
_THUMBNAIL = 220
_MOST_IN_LEGEND = 200
"""Classes in the legend of a sheet."""

RowsBySplit = Mapping[str, NDArray[np.bool_]]
"""For each split, which of (n,) images belong to it."""


def largest_deviation(splits: Mapping[str, Dataset]) -> dict[str, Any] | None:
    """Return the largest difference between a labelled split and all of them together.

    Returns:
        `split`, `trait`, `bin` and `difference` of shares; None if there is nothing to compare.
    """
    distributions, rows_by_split = _distributions_by_split(splits)
    differences: list[dict[str, Any]] = [
        {"split": split, "trait": trait, "bin": label, "difference": round(value, 4)}
        for split, rows in rows_by_split.items()
        for trait, label, value in deviations(distributions, rows)
    ]
    return max(differences, key=lambda row: row["difference"], default=None)


def describe_distributions(splits: Mapping[str, Dataset]) -> list[dict[str, Any]]:
    """Return each distribution of labelled splits: `trait`, `bins`, and the `shares` by split."""
    distributions, rows_by_split = _distributions_by_split(splits)
    return [
        {
            "trait": distribution.name,
            "bins": list(distribution.bins),
            "shares": {
                split: distribution.shares(rows).round(6).tolist()
                for split, rows in rows_by_split.items()
            },
        }
        for distribution in distributions
    ]


def write_report(
    folder: Path, images: Path, splits: Mapping[str, Dataset], report: Mapping[str, Any]
) -> None:
    """Write report.html, and one CSV per distribution into plots/.

    Args:
        folder: the folder of prepared data, with the splits' folders in it.
        images: the image folder of the raw root.
        splits: the splits; the pool has no labels.
        report: the values of report.json.
    """
    (folder / _PLOTS).mkdir()
    for distribution in report["distributions"]:
        _write_plot(folder / _PLOTS / f"{_file_name(distribution['trait'])}.csv", distribution)
    parts = [*data_tables(report, html), *_contact_sheets(folder, images, splits)]
    html.write_page(folder / _PAGE, "The data", parts)


def _distributions_by_split(
    splits: Mapping[str, Dataset],
) -> tuple[list[Distribution], RowsBySplit]:
    """Return the distributions of all splits together, and the rows of each split in them."""
    present = {split: dataset for split, dataset in splits.items() if len(dataset.images)}
    whole = concatenate(list(present.values()))
    owners = np.repeat(list(present), [len(dataset.images) for dataset in present.values()])
    return distributions_of(whole), {split: owners == split for split in present}


def _file_name(trait: str) -> str:
    """Return the name of a trait's file, without the suffix."""
    return re.sub(r"[^a-z]+", "_", trait).strip("_")


def _write_plot(path: Path, distribution: Mapping[str, Any]) -> None:
    """Write a distribution: one row per bin and split."""
    rows = [
        {"bin": f"{label} ({split})", "split": split, "share": values[number]}
        for number, label in enumerate(distribution["bins"])
        for split, values in distribution["shares"].items()
    ]
    write_csv(path, rows)


def _contact_sheets(folder: Path, images: Path, splits: Mapping[str, Dataset]) -> list[str]:
    """Return one contact sheet per split: evenly chosen images with their labels drawn."""
    parts: list[str] = []
    for split in in_order(splits):
        dataset = splits[split]
        count = len(dataset.images)
        if not count:
            continue
        names = dataset.class_names[:_MOST_IN_LEGEND]
        parts += [html.heading(split), html.legend(names, map(class_colour, range(len(names))))]
        rows = np.unique(np.linspace(0, count - 1, _IMAGES_SHOWN).round().astype(int))
        parts += [_thumbnail(dataset, row, folder / split, images) for row in rows.tolist()]
    return parts


def _thumbnail(dataset: Dataset, row: int, split: Path, images: Path) -> str:
    """Return one image with its labels, or a line of text if it cannot be decoded."""
    name, image_id = str(dataset.images.file_names[row]), dataset.images.ids[row]
    labels = dataset.annotations[dataset.annotations.image_ids == image_id]
    classes = [
        category.name for category in dataset.categories if category.id in labels.category_ids
    ]
    caption = f"{name}: {', '.join(classes)}" if classes else name
    try:
        pixels = read_rgb(images / name, str(dataset.images.hashes[row]))
    except (OSError, UnreadableImageError):
        return html.paragraph(f"{caption}: cannot be decoded")
    drawn = draw_annotations(pixels, labels, dataset.categories, split)
    return html.figure(to_jpeg(drawn, _THUMBNAIL), caption)
