"""The page about the data: counts, distributions and a sheet of images for each split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.core.files import read_json, written_aside
from pseudolabel.core.records import Dataset
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.data_tables import data_tables, in_order
from pseudolabel.report import html_parts
from pseudolabel.report.gallery import GOLD_CODES, Gallery, panel
from pseudolabel.report.image_copies import LARGE
from pseudolabel.report.map_pictures import map_picture
from pseudolabel.report.objects import encode_labels, without_scores

_SHOWN = 12
"""Images of each split on its sheet."""
_MAPS = "data-maps"


def data_parts(prepared: Path) -> list[str]:
    """Return the tables of the page from the folder of prepared data."""
    return data_tables(read_json(prepared / "report.json"), html_parts)


def split_sheets(prepared: Path, task: str, report: Path) -> list[Gallery]:
    """Return one sheet per split: evenly chosen images with their labels.

    Args:
        prepared: the folder of prepared data.
        task: decides the kind of label.
        report: the report, to write label maps to.
    """
    sheets = []
    for split in in_order(read_json(prepared / "report.json")["images"]):
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
        return panel(
            "", encode_labels(without_scores(labels), dataset.categories, size), GOLD_CODES
        )
    if not folder.has_label_maps or not len(labels):
        return panel("")
    name = f"{_MAPS}/{folder.path.name}-{image_id:09d}.png"
    with written_aside(report / name) as aside:
        aside.write_bytes(map_picture(folder.label_map(image_id), LARGE))
    return panel("", label_map=name)
