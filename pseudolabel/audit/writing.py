"""The audit as a table and as a page with pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.audit.suspects import MISPLACED, MISSED, WRONG_CLASS, Box, Suspect
from pseudolabel.drawing import as_jpeg, read_rgb
from pseudolabel.files import written_aside
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.pages import figure, heading, paragraph, write_page
from pseudolabel.tasks.task import Task

TABLE, PAGE = "suspects.csv", "suspects.html"
SHOWN = 60
"""Suspects of each kind on the page; the table has all."""
THUMBNAIL = 260
CONTEXT = 1.0
"""How much of a box's longer side is shown around it."""
COLUMNS = ["rank", "quality", "file", "kind", "annotation_id", "label", "suggestion"]
CORNERS = ["x1", "y1", "x2", "y2"]


def write_audit(predictions: Path, images: Path, output: Path, task: Task) -> None:
    """Write suspects.csv, all suspects with the likeliest first, and suspects.html.

    The page shows the first of each kind.

    Args:
        predictions: the folder that the cross-fit wrote.
        images: the image folder of the raw root.
        output: the folder to write.
        task: how labels are judged.
    """
    gold = read_coco(predictions / "gold" / FILE)
    suspects = task.suspects(gold, predictions)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        write_table(aside / TABLE, suspects)
        said = (
            f"{len(suspects):,} of {len(gold.annotations):,} gold labels, or objects without one, "
            "are contradicted by a model that never saw their image. "
            "Red is what gold says, green what the model says."
        )
        parts = [paragraph(said)]
        for kind in (WRONG_CLASS, MISPLACED, MISSED):
            mine = [it for it in suspects if it.kind == kind]
            if mine:
                parts.append(heading(f"{kind}: {len(mine):,}"))
                shown = tqdm(mine[:SHOWN], desc=f"drawing {kind}", mininterval=2)
                parts += [figure(picture(images, it), caption(it)) for it in shown]
        write_page(aside / PAGE, "Gold labels in doubt", parts)
    print(f"{len(suspects)} labels in doubt: {output / PAGE}")


def write_table(path: Path, suspects: list[Suspect]) -> None:
    """Write all suspects as CSV, boxes of labels before those suggested."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        suggested = [f"suggested_{corner}" for corner in CORNERS]
        writer.writerow([*COLUMNS, *CORNERS, *suggested])
        for rank, it in enumerate(suspects, start=1):
            cells = [rank, it.quality, it.file, it.kind, it.annotation_id, it.label, it.suggestion]
            boxes = [*(it.box_xyxy or [""] * 4), *(it.suggested_xyxy or [""] * 4)]
            writer.writerow([*cells, *boxes])


def caption(it: Suspect) -> str:
    """Return what is to be said of a suspect."""
    which = "" if it.annotation_id is None else f", annotation {it.annotation_id}"
    said = f"{it.label!r}, model: {it.suggestion!r}" if it.label else f"model: {it.suggestion!r}"
    return f"{it.kind} ({it.quality:.2f}): {said}; {it.file}{which}"


def picture(images: Path, it: Suspect) -> bytes:
    """Return a suspect's surroundings as JPEG, the label's box red and the suggested one green."""
    pixels = read_rgb(images / it.file)
    boxes = [(box, colour) for box, colour in zip(boxes_of(it), "rg", strict=True) if box]
    if not boxes:
        return as_jpeg(pixels, THUMBNAIL)
    corners = np.array([box for box, _ in boxes], np.float32)
    colours = [sv.Color(0, 200, 0) if colour == "g" else sv.Color(230, 0, 0) for _, colour in boxes]
    left, top, right, bottom = window(corners, pixels)
    crop = np.ascontiguousarray(pixels[top:bottom, left:right, ::-1])
    found = sv.Detections(
        xyxy=corners - [left, top, left, top], class_id=np.arange(len(boxes), dtype=int)
    )
    thickness = max(1, round(max(crop.shape[:2]) / 130))
    drawn = sv.BoxAnnotator(sv.ColorPalette(colours), thickness).annotate(crop, found)
    return as_jpeg(np.ascontiguousarray(drawn[..., ::-1]), THUMBNAIL)


def boxes_of(it: Suspect) -> tuple[Box | None, Box | None]:
    """Return the label's box and the suggested one."""
    return it.box_xyxy, it.suggested_xyxy


def window(corners: NDArray[np.float32], pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of boxes with their surroundings."""
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    margin = CONTEXT * float((high - low).max()) + 4
    height, width = pixels.shape[:2]
    left, top = np.clip(low - margin, 0, [width - 1, height - 1]).astype(int).tolist()
    right, bottom = np.clip(high + margin, [left + 1, top + 1], [width, height]).astype(int)
    return left, top, int(right), int(bottom)
