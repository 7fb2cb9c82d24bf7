"""Errors of semantic segmentation: confused classes, the worst images and their worst regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.files import written_aside
from pseudolabel.evaluation.history import maps_folder
from pseudolabel.evaluation.scorer import ratio
from pseudolabel.formats.label_maps import UNLABELLED, LabelMap, map_path, read_map
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.palette import class_colour
from pseudolabel.report.confusion_table import as_shares, confusion_table
from pseudolabel.report.error_report import MOST_SHOWN, ErrorReport, Scored
from pseudolabel.report.gallery import Gallery, panel
from pseudolabel.report.html_parts import bars, heading, paragraph
from pseudolabel.report.image_copies import LARGE
from pseudolabel.report.map_pictures import map_picture

_MAPS = "error-maps"
_REGIONS = 3
"""Regions of an image that are marked, the largest ones."""


def describe_pixel_errors(scored: Scored) -> ErrorReport:
    """Return the errors of a segmentation model on a split."""
    confusions = np.load(scored.outcome, allow_pickle=False)
    names = scored.truth.class_names
    pixels = confusions.sum(axis=0, dtype=np.int64)
    right = np.diagonal(pixels)
    iou = ratio(right, pixels.sum(axis=1) + pixels.sum(axis=0)[:-1] - right)
    recall = ratio(right, pixels.sum(axis=1))
    values = np.nan_to_num(np.column_stack([iou, recall])).tolist()
    colours = [class_colour(index) for index in range(len(names))]
    parts = [
        heading("Classes"),
        bars(["class", "IoU", "found"], zip(names, values, strict=True), colours),
        heading("Confusions"),
        paragraph(
            "The pixels of each class in gold by the class that was predicted. "
            f"{1 - right.sum() / max(1, pixels.sum()):.1%} of all pixels are wrong. Point at a "
            "share for the number of pixels."
        ),
        *confusion_table(pixels, names, [*names, "no prediction"], as_shares),
    ]
    return ErrorReport(parts, [_worst(scored, confusions)])


def _worst(scored: Scored, confusions: NDArray[np.int32]) -> Gallery:
    """Return the images with the largest share of wrong pixels, gold beside predictions."""
    gallery = Gallery(
        f"worst-{scored.split}",
        "Worst images",
        "The images with the largest share of wrong pixels, gold beside the prediction. The "
        f"{_REGIONS} largest wrong regions of an image have a frame in the colour of gold.",
    )
    totals = confusions.sum(axis=(1, 2))
    right = np.trace(confusions[:, :, :-1], axis1=1, axis2=2)
    wrong = np.nan_to_num(ratio(totals - right, totals))
    for row in np.argsort(-wrong, kind="stable")[:MOST_SHOWN].tolist():
        if wrong[row] > 0:
            _add_image(gallery, scored, row, float(wrong[row]))
    return gallery


def _add_image(gallery: Gallery, scored: Scored, row: int, wrong: float) -> None:
    """Add an image with its two label maps, and a frame around each of its wrong regions."""
    image_id = int(scored.truth.images.ids[row])
    gold = SplitFolder(scored.folder).label_map(image_id)
    found = read_map(map_path(maps_folder(scored.outcome), image_id))
    regions = _wrong_regions(gold, found)
    names = scored.truth.class_names
    texts = [f"{names[true]} as {_name(names, guess)}" for true, guess, *_ in regions]
    codes = [(text, "region") for text in texts]
    labels = [[true, None, place, box] for place, (true, _, _, box) in enumerate(regions)]
    panels = [
        panel(title, labels, codes, label_map=_write_map(scored, name, image_id, labels_of))
        for title, name, labels_of in (("gold", "gold", gold), ("prediction", "found", found))
    ]
    caption = f"{wrong:.1%} wrong" + (f": {', '.join(texts)}" if texts else "")
    gallery.add(scored.truth.images, row, caption, panels)


def _name(names: list[str], index: int) -> str:
    return names[index] if index < len(names) else "nothing"


def _write_map(scored: Scored, kind: str, image_id: int, labels: LabelMap) -> str:
    """Write the picture of a label map into the report, and return its path there."""
    name = f"{_MAPS}/{scored.split}-{kind}-{image_id:09d}.png"
    path: Path = scored.report / name
    with written_aside(path) as aside:
        aside.write_bytes(map_picture(labels, LARGE))
    return name


def _wrong_regions(gold: LabelMap, found: LabelMap) -> list[tuple[int, int, int, list[float]]]:
    """Return the largest regions with one wrong class: gold, prediction, pixels and box."""
    wrong = (gold != UNLABELLED) & (gold != found)
    pairs = gold.astype(np.int64) * 256 + found
    values, counts = np.unique(pairs[wrong], return_counts=True)
    regions: list[tuple[int, int, int, list[float]]] = []
    # A region is no larger than all pixels of its pair: few pairs need to be looked at.
    for pair in values[np.argsort(-counts, kind="stable")][: 2 * _REGIONS].tolist():
        mask = (wrong & (pairs == pair)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for left, top, width, height, area in _largest(stats):
            box = [float(value) for value in (left, top, left + width, top + height)]
            regions.append((pair // 256, pair % 256, area, box))
    return sorted(regions, key=lambda region: -region[2])[:_REGIONS]


def _largest(stats: NDArray[Any]) -> list[list[int]]:
    """Return the largest components; the first row is the background."""
    rows = stats[1:]
    return rows[np.argsort(-rows[:, 4], kind="stable")[:_REGIONS]].tolist()
