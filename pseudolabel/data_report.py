"""What prepare made of the data, to look at: tables for DVC's plots and one HTML page."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.datasets import joined
from pseudolabel.distributions import Distribution, deviations, distributions_of
from pseudolabel.drawing import as_jpeg, colour_of, read_rgb, with_labels
from pseudolabel.formats.images import UNREADABLE
from pseudolabel.pages import bars, figure, heading, legend, paragraph, table, write_page
from pseudolabel.records import Dataset

PAGE, PLOTS = "report.html", "plots"
SHOWN = 12
"""Images of each split on its contact sheet."""
THUMBNAIL = 220
MOST_ROWS = 200
"""Pairs and classes that the page shows; all of them are in report.json and in the tables."""


def side_by_side(
    splits: Mapping[str, Dataset],
) -> tuple[list[Distribution], dict[str, NDArray[np.bool_]]]:
    """Return the distributions of all splits with images together, and each one's rows in them."""
    present = {split: dataset for split, dataset in splits.items() if len(dataset.images)}
    names = list(present)
    whole = present[names[0]]
    for split in names[1:]:
        whole = joined(whole, present[split])
    owners = np.repeat(names, [len(present[split].images) for split in names])
    return distributions_of(whole), {split: owners == split for split in names}


def largest_deviation(splits: Mapping[str, Dataset]) -> dict[str, Any] | None:
    """Return where a labelled split differs most from all of them together, None if nowhere."""
    found, rows = side_by_side(splits)
    differences: list[dict[str, Any]] = [
        {"split": split, "trait": trait, "bin": label, "difference": round(value, 4)}
        for split, mine in rows.items()
        for trait, label, value in deviations(found, mine)
    ]
    return max(differences, key=lambda row: row["difference"], default=None)


def write_report(
    folder: Path, images: Path, splits: Mapping[str, Dataset], report: Mapping[str, Any]
) -> None:
    """Write report.html, and a CSV for each distribution into plots/.

    Args:
        folder: the folder of prepared data, with the splits' folders in it.
        images: the image folder of the raw root.
        splits: the splits; the pool has no labels.
        report: report.json's values.
    """
    labelled = {split: dataset for split, dataset in splits.items() if split != "pool"}
    found, rows = side_by_side(labelled)
    (folder / PLOTS).mkdir()
    for it in found:
        write_plot(folder / PLOTS / f"{slug(it.name)}.csv", it, rows)
    write_page(
        folder / PAGE,
        "The data",
        [
            *summary(splits, report),
            *distributions(found, rows),
            *taken_out(report["taken_out"]),
            *contact_sheets(folder, images, splits),
        ],
    )


def slug(name: str) -> str:
    """Return a trait's name as that of a file."""
    return re.sub(r"[^a-z]+", "_", name).strip("_")


def write_plot(path: Path, it: Distribution, rows: Mapping[str, NDArray[np.bool_]]) -> None:
    """Write a distribution, a row for each bin and split."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["bin", "split", "share"])
        shares = {split: it.shares(mine) for split, mine in rows.items()}
        for number, label in enumerate(it.bins):
            for split, values in shares.items():
                writer.writerow([f"{label} ({split})", split, round(float(values[number]), 6)])


def summary(splits: Mapping[str, Dataset], report: Mapping[str, Any]) -> list[str]:
    """Return the counts of each split, and what the report says beside them."""
    counts = [
        [split, f"{len(it.images):,}", f"{len(it.annotations):,}" if split != "pool" else ""]
        for split, it in splits.items()
    ]
    largest = report["largest_deviation"]
    said = [table(["split", "images", "labels"], counts)]
    if largest is not None:
        said.append(
            paragraph(
                f"The largest deviation from all labelled images together: {largest['split']} has "
                f"{largest['difference']:.1%} more or less of {largest['trait']} {largest['bin']}."
            )
        )
    if report["transductive"]:
        said.append(paragraph("Test images are in the pool on purpose (prepare.transductive)."))
    if report["classes_without_gold"]:
        names = ", ".join(report["classes_without_gold"])
        said.append(paragraph(f"No gold label is of these classes, which are not learnt: {names}."))
    if report["unreadable"]:
        count = len(report["unreadable"])
        said.append(paragraph(f"Files of the pool that are no readable image, left out: {count}."))
    return said


def distributions(
    found: Sequence[Distribution], rows: Mapping[str, NDArray[np.bool_]]
) -> list[str]:
    """Return each distribution, splits side by side."""
    parts = [heading("Distributions"), paragraph("Measures are cut at the quartiles of all.")]
    for it in found:
        shares = [it.shares(mine) for mine in rows.values()]
        values = [
            (label, [float(column[number]) for column in shares])
            for number, label in enumerate(it.bins)
        ]
        parts.append(bars([it.name, *rows], values[:MOST_ROWS]))
    return parts


def taken_out(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the images that left a split because of a twin in another."""
    if not pairs:
        return []
    said = f"{len(pairs):,} images left their split: a twin is in a split to be measured on."
    shown = [
        [it["file"], it["split"], it["twin"], it["twin_split"], it["kind"], str(it["distance"])]
        for it in pairs[:MOST_ROWS]
    ]
    head = ["image", "of", "twin", "in", "kind", "bits apart"]
    return [heading("Taken out"), paragraph(said), table(head, shown)]


def contact_sheets(folder: Path, images: Path, splits: Mapping[str, Dataset]) -> list[str]:
    """Return a sheet of some images of each split, evenly chosen, with their labels drawn."""
    parts: list[str] = []
    for split, dataset in splits.items():
        count = len(dataset.images)
        if not count:
            continue
        names = [category.name for category in dataset.categories][:MOST_ROWS]
        parts += [heading(split), legend(names, map(colour_of, range(len(names))))]
        for row in np.unique(np.linspace(0, count - 1, SHOWN).round().astype(int)):
            name, image_id = dataset.images.file_names[row], dataset.images.ids[row]
            mine = dataset.annotations[dataset.annotations.image_ids == image_id]
            classes = [it.name for it in dataset.categories if it.id in mine.category_ids]
            caption = f"{name}: {', '.join(classes)}" if classes else str(name)
            try:
                pixels = read_rgb(images / name)
            except UNREADABLE:
                parts.append(paragraph(f"{caption}: cannot be decoded"))
                continue
            drawn = with_labels(pixels, mine, dataset.categories, folder / split)
            parts.append(figure(as_jpeg(drawn, THUMBNAIL), caption))
    return parts
