"""The audit as a table and as a page with pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.audit import SUSPECTS
from pseudolabel.audit.suspects import MISPLACED, MISSED, WRONG_CLASS, Suspect
from pseudolabel.core.files import written_aside
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.pages.drawing import read_rgb, to_jpeg
from pseudolabel.pages.html import figure, heading, paragraph, write_page

_TABLE, _PAGE = "suspects.csv", "suspects.html"
_SHOWN = 60
"""Suspects of each kind on the page; the table has all of them."""
_THUMBNAIL = 260
_CONTEXT = 1.0
"""The margin around boxes in a picture, as a share of their longer side."""
_LABEL_COLOUR, _SUGGESTION_COLOUR = sv.Color(230, 0, 0), sv.Color(0, 200, 0)
_COLUMNS = ["rank", "quality", "file", "kind", "annotation_id", "label", "suggestion"]
_CORNERS = ["x1", "y1", "x2", "y2"]


def write_audit(predictions: Path, images: Path, output: Path, task: str) -> None:
    """Write suspects.csv with all suspects, the most probable errors first, and suspects.html.

    The page shows the first suspects of each kind.

    Args:
        predictions: the folder that the cross-fit wrote.
        images: the image folder of the raw root.
        output: the folder to write.
        task: decides how suspects are found.

    Raises:
        ChangedImageError: an image is no longer the one that `prepare` read.
    """
    gold = SplitFolder(predictions / "gold").read()
    suspects = SUSPECTS[task](gold, predictions)
    explanation = (
        f"Suspects: {len(suspects):,}, of {len(gold.annotations):,} gold labels. "
        "A suspect is a gold label that a model contradicts, or an object without a gold label. "
        "The model was not trained on the image. "
        "Gold labels are red, predictions of the model are green."
    )
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        _write_table(aside / _TABLE, suspects)
        hashes = dict(zip(gold.images.file_names, gold.images.hashes, strict=True))
        parts = [paragraph(explanation), *_pictures(images, suspects, hashes)]
        write_page(aside / _PAGE, "Suspects in gold", parts)
    print(f"{len(suspects)} suspects in gold: {output / _PAGE}")


def _write_table(path: Path, suspects: list[Suspect]) -> None:
    """Write all suspects as CSV: one row per suspect, gold boxes before suggested boxes."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*_COLUMNS, *_CORNERS, *(f"suggested_{corner}" for corner in _CORNERS)])
        for rank, suspect in enumerate(suspects, start=1):
            cells = [rank, *(getattr(suspect, column) for column in _COLUMNS[1:])]
            for box in (suspect.box_xyxy, suspect.suggested_xyxy):
                cells += box or [""] * len(_CORNERS)
            writer.writerow(cells)


def _pictures(images: Path, suspects: list[Suspect], hashes: Mapping[str, str]) -> Iterator[str]:
    """Yield a heading and the first suspects of each kind, as HTML."""
    for kind in (WRONG_CLASS, MISPLACED, MISSED):
        of_kind = [suspect for suspect in suspects if suspect.kind == kind]
        if not of_kind:
            continue
        yield heading(f"{kind}: {len(of_kind):,}")
        for suspect in tqdm(of_kind[:_SHOWN], desc=f"drawing {kind}", mininterval=2):
            yield figure(_suspect_picture(images, suspect, hashes[suspect.file]), _caption(suspect))


def _caption(suspect: Suspect) -> str:
    """Return the caption of a suspect's picture."""
    prediction = f"model: {suspect.suggestion!r}"
    classes = f"{suspect.label!r}, {prediction}" if suspect.label else prediction
    annotation = "" if suspect.annotation_id is None else f", annotation {suspect.annotation_id}"
    return f"{suspect.kind} ({suspect.quality:.2f}): {classes}; {suspect.file}{annotation}"


def _suspect_picture(images: Path, suspect: Suspect, digest: str) -> bytes:
    """Return the region of a suspect as JPEG: the gold box red, the suggested box green."""
    pixels = read_rgb(images / suspect.file, digest)
    boxes, colours = [], []
    for box, colour in (
        (suspect.box_xyxy, _LABEL_COLOUR),
        (suspect.suggested_xyxy, _SUGGESTION_COLOUR),
    ):
        if box:
            boxes.append(box)
            colours.append(colour)
    if not boxes:
        return to_jpeg(pixels, _THUMBNAIL)
    corners = np.array(boxes, np.float32)
    left, top, right, bottom = _window(corners, pixels)
    # OpenCV, which supervision draws with, has the channels in reverse order.
    crop = np.ascontiguousarray(pixels[top:bottom, left:right, ::-1])
    detections = sv.Detections(
        xyxy=corners - [left, top, left, top], class_id=np.arange(len(boxes), dtype=int)
    )
    thickness = max(1, round(max(crop.shape[:2]) / 130))
    drawn = sv.BoxAnnotator(sv.ColorPalette(colours), thickness).annotate(crop, detections)
    return to_jpeg(np.ascontiguousarray(drawn[..., ::-1]), _THUMBNAIL)


def _window(corners: NDArray[np.float32], pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the region around (n, 4) boxes, within the image."""
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    margin = _CONTEXT * float((high - low).max()) + 4
    height, width = pixels.shape[:2]
    left, top = np.clip(low - margin, 0, [width - 1, height - 1]).astype(int).tolist()
    right, bottom = np.clip(high + margin, [left + 1, top + 1], [width, height]).astype(int)
    return left, top, int(right), int(bottom)
