"""The page about the data: counts, distributions and a sheet of images for each split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.files import read_json, written_aside
from pseudolabel.core.records import Dataset
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.palette import class_colour
from pseudolabel.report.gallery import GOLD_CODES, Gallery, panel
from pseudolabel.report.html_parts import bars, heading, legend, paragraph, table
from pseudolabel.report.map_pictures import map_picture
from pseudolabel.report.objects import encode_labels
from pseudolabel.report.round_index import read_rows

_SHOWN = 12
"""Images of each split on its sheet."""
_MOST_ROWS = 200
_MAPS = "data-maps"
_ORDER = ("gold", "val", "tuning", "test", "held_out", "pool")
"""The order of splits on the page."""


def data_parts(prepared: Path, class_names: list[str]) -> list[str]:
    """Return the tables of the page.

    Args:
        prepared: the folder of prepared data.
        class_names: the names of the classes.
    """
    report = read_json(prepared / "report.json")
    counts = [
        [split, f"{report['images'][split]:,}", f"{report['annotations'].get(split, 0):,}"]
        for split in _in_order(report["images"])
    ]
    colours = [class_colour(index) for index in range(len(class_names))]
    return [
        legend(class_names[:_MOST_ROWS], colours[:_MOST_ROWS]),
        table(["split", "images", "labels"], counts),
        *_findings(report),
        *_distributions(prepared),
        *_removed(report),
    ]


def _in_order(splits: Iterable[str]) -> list[str]:
    return sorted(splits, key=_ORDER.index)


def _findings(report: Mapping[str, Any]) -> list[str]:
    """Return what is special about the data, in words."""
    parts = []
    largest = report["largest_deviation"]
    if largest is not None:
        parts.append(
            "The largest deviation of a split from all labelled images together: in "
            f"{largest['split']}, the share of {largest['trait']} {largest['bin']} differs by "
            f"{largest['difference']:.1%}."
        )
    if report["transductive"]:
        parts.append("The pool contains the test images (prepare.transductive).")
    if report["classes_without_gold"]:
        names = ", ".join(report["classes_without_gold"])
        parts.append(f"Classes without gold labels, which are not learned: {names}.")
    if report["unreadable"]:
        count = len(report["unreadable"])
        parts.append(f"Files of the pool that are not readable images: {count}.")
    return [paragraph(text) for text in parts]


def _distributions(prepared: Path) -> list[str]:
    """Return a table of bars for each distribution that `prepare` wrote."""
    parts = [heading("Distributions")]
    parts.append(
        paragraph("Continuous traits are cut at the quartiles of all labelled images together.")
    )
    for path in sorted((prepared / "plots").glob("*.csv")):
        shares: dict[str, dict[str, float]] = {}
        for row in read_rows(path):
            split = str(row["split"])
            label = str(row["bin"]).removesuffix(f" ({split})")
            shares.setdefault(label, {})[split] = float(row["share"])
        splits = _in_order({split for row in shares.values() for split in row})
        rows = [(label, [row[split] for split in splits]) for label, row in shares.items()]
        parts.append(bars([path.stem.replace("_", " "), *splits], rows[:_MOST_ROWS]))
    return parts


def _removed(report: Mapping[str, Any]) -> list[str]:
    """Return the images that were removed because of a duplicate in another split."""
    pairs = report["removed"]
    if not pairs:
        return []
    text = (
        f"Images that were removed from their split: {len(pairs):,}. Each has a duplicate in a "
        "split that is measured on, or in gold."
    )
    columns = ["file", "split", "twin", "twin_split", "kind", "distance"]
    head = ["image", "split", "duplicate", "its split", "kind", "differing bits"]
    rows = [[str(pair[column]) for column in columns] for pair in pairs[:_MOST_ROWS]]
    return [heading("Removed images"), paragraph(text), table(head, rows)]


def split_sheets(prepared: Path, task: str, report: Path) -> list[Gallery]:
    """Return one sheet per split: evenly chosen images with their labels.

    Args:
        prepared: the folder of prepared data.
        task: decides the kind of label.
        report: the report, to write label maps to.
    """
    sheets = []
    for split in _in_order(read_json(prepared / "report.json")["images"]):
        folder = SplitFolder(prepared / split)
        dataset = folder.read()
        count = len(dataset.images)
        gallery = Gallery(f"sheet-{split}", split, f"{_SHOWN} of {count:,} images, evenly chosen.")
        rows = np.unique(np.linspace(0, count - 1, _SHOWN).round().astype(int)) if count else []
        for row in rows:
            gallery.add(dataset.images, row, "", [_panel(dataset, int(row), folder, task, report)])
        sheets.append(gallery)
    return sheets


def _panel(
    dataset: Dataset, row: int, folder: SplitFolder, task: str, report: Path
) -> dict[str, Any]:
    """Return the labels of an image, as the page draws them."""
    image_id = int(dataset.images.ids[row])
    labels = dataset.annotations[dataset.annotations.image_ids == image_id]
    kind = TASKS[task].kind
    if kind == "classes":
        classes = labels.class_indices(dataset.categories).tolist()
        return panel("", bars=[[index, None] for index in classes])
    if kind == "objects":
        size = int(dataset.images.heights[row]), int(dataset.images.widths[row])
        return panel("", encode_labels(labels, dataset.categories, size), GOLD_CODES)
    if not folder.has_label_maps or not len(labels):
        return panel("")
    name = f"{_MAPS}/{folder.path.name}-{image_id:09d}.png"
    with written_aside(report / name) as aside:
        aside.write_bytes(map_picture(folder.label_map(image_id)))
    return panel("", label_map=name)
