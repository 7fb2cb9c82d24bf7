"""The report of the prepared data: one table per trait for DVC's plots, and one HTML page."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.datasets import concatenate
from pseudolabel.core.records import Dataset
from pseudolabel.formats.image_header import UnreadableImageError
from pseudolabel.pages.drawing import draw_annotations, read_rgb, to_jpeg
from pseudolabel.pages.html import bars, figure, heading, legend, paragraph, table, write_page
from pseudolabel.pages.palette import class_colour
from pseudolabel.splits.distributions import Distribution, deviations, distributions_of

_PAGE, _PLOTS = "report.html", "plots"
_IMAGES_SHOWN = 12
"""Images of each split on its contact sheet."""
_THUMBNAIL = 220
_MOST_ROWS = 200
"""Pairs and classes on the page; report.json and the tables have all of them."""

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
    labelled = {split: dataset for split, dataset in splits.items() if split != "pool"}
    distributions, rows_by_split = _distributions_by_split(labelled)
    (folder / _PLOTS).mkdir()
    for distribution in distributions:
        path = folder / _PLOTS / f"{_file_name(distribution.name)}.csv"
        _write_plot(path, distribution, rows_by_split)
    parts = [
        *_summary(splits, report),
        *_distribution_tables(distributions, rows_by_split),
        *_removed_images(report["removed"]),
        *_contact_sheets(folder, images, splits),
    ]
    write_page(folder / _PAGE, "The data", parts)


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


def _write_plot(path: Path, distribution: Distribution, rows_by_split: RowsBySplit) -> None:
    """Write a distribution: one row per bin and split."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["bin", "split", "share"])
        shares = {split: distribution.shares(rows) for split, rows in rows_by_split.items()}
        for number, label in enumerate(distribution.bins):
            for split, values in shares.items():
                writer.writerow([f"{label} ({split})", split, round(float(values[number]), 6)])


def _summary(splits: Mapping[str, Dataset], report: Mapping[str, Any]) -> list[str]:
    """Return the counts of each split, and the findings of the report."""
    counts = [
        [
            split,
            f"{len(dataset.images):,}",
            f"{len(dataset.annotations):,}" if split != "pool" else "",
        ]
        for split, dataset in splits.items()
    ]
    largest = report["largest_deviation"]
    parts = [table(["split", "images", "labels"], counts)]
    if largest is not None:
        parts.append(
            paragraph(
                "The largest deviation of a split from all labelled images together: in "
                f"{largest['split']}, the share of {largest['trait']} {largest['bin']} differs by "
                f"{largest['difference']:.1%}."
            )
        )
    if report["transductive"]:
        parts.append(paragraph("The pool contains the test images (prepare.transductive)."))
    if report["classes_without_gold"]:
        names = ", ".join(report["classes_without_gold"])
        parts.append(paragraph(f"Classes without gold labels, which are not learned: {names}."))
    if report["unreadable"]:
        count = len(report["unreadable"])
        parts.append(paragraph(f"Files of the pool that are not readable images: {count}."))
    return parts


def _distribution_tables(
    distributions: Sequence[Distribution], rows_by_split: RowsBySplit
) -> list[str]:
    """Return one table per distribution, with one column per split."""
    explanation = "Continuous traits are cut at the quartiles of all labelled images together."
    parts = [heading("Distributions"), paragraph(explanation)]
    for distribution in distributions:
        shares = [distribution.shares(rows) for rows in rows_by_split.values()]
        values = [
            (label, [float(column[number]) for column in shares])
            for number, label in enumerate(distribution.bins)
        ]
        parts.append(bars([distribution.name, *rows_by_split], values[:_MOST_ROWS]))
    return parts


def _removed_images(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the images that were removed from a split because of a duplicate in another."""
    if not pairs:
        return []
    explanation = (
        f"Images that were removed from their split: {len(pairs):,}. "
        "Each has a duplicate in a split that is measured on, or in gold."
    )
    columns = ["file", "split", "twin", "twin_split", "kind", "distance"]
    rows = [[str(pair[column]) for column in columns] for pair in pairs[:_MOST_ROWS]]
    head = ["image", "split", "duplicate", "its split", "kind", "differing bits"]
    return [heading("Removed images"), paragraph(explanation), table(head, rows)]


def _contact_sheets(folder: Path, images: Path, splits: Mapping[str, Dataset]) -> list[str]:
    """Return one contact sheet per split: evenly chosen images with their labels drawn."""
    parts: list[str] = []
    for split, dataset in splits.items():
        count = len(dataset.images)
        if not count:
            continue
        names = dataset.class_names[:_MOST_ROWS]
        parts += [heading(split), legend(names, map(class_colour, range(len(names))))]
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
        return paragraph(f"{caption}: cannot be decoded")
    drawn = draw_annotations(pixels, labels, dataset.categories, split)
    return figure(to_jpeg(drawn, _THUMBNAIL), caption)
