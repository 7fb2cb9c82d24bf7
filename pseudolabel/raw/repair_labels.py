"""Repairing the boxes and polygons of a COCO file, as far as they are certainly wrong."""

from __future__ import annotations

from pseudolabel.core.errors import counted
from pseudolabel.core.masks import areas
from pseudolabel.formats.coco_annotations import Record, is_id, parse_polygons
from pseudolabel.raw.repair_ids import drop_rows, objects_in
from pseudolabel.raw.repair_sizes import SizeOfImage
from pseudolabel.raw.shapes import (
    Size,
    are_polygons,
    box_share_inside,
    clip_polygon,
    fits,
    has_keypoints,
    is_box,
    is_flat,
    points_of,
    polygons_share_inside,
)

_LEAST_INSIDE = 0.5
"""A label is clipped if this share of it or more lies inside its image."""


def repair_labels(content: Record, sizes: SizeOfImage) -> list[str]:
    """Repair annotations in place, and return one line per repair.

    Stray parts of polygons are dropped, flipped boxes are turned round, labels without an area are
    dropped, and labels that leave their image are clipped. In an image with a label that lies
    mostly outside, none is clipped: they may belong to another picture.

    Args:
        content: the content of the COCO file.
        sizes: the sizes of the images whose labels are in their frame.
    """
    rows = [
        (row, sizes[row["image_id"]])
        for row in objects_in(content, "annotations")
        if is_id(row.get("image_id")) and row["image_id"] in sizes
    ]
    lines: list[str] = []
    dropped: list[Record] = []
    clipped: list[tuple[Record, Record | None]] = []
    for row, size in rows:
        record = f"annotation id {row.get('id')}"
        lines += [f"{record}: {repair}" for repair in _mend(row, size)]
        reason = _find_emptiness(row, size)
        if reason:
            lines.append(f"{record}: dropped, {reason}")
            dropped.append(row)
        else:
            clipped.append((row, _clip(row, size)))
    strange = {row["image_id"] for row, values in clipped if values is None}
    for row, values in clipped:
        if values and row["image_id"] not in strange:
            row.update(values)
            lines.append(f"annotation id {row.get('id')}: clipped to its image")
    if dropped:
        drop_rows(content, "annotations", dropped)
    return lines


def _mend(row: Record, size: Size) -> list[str]:
    """Drop stray parts of polygons and turn a flipped box round in place; return the repairs."""
    repairs = []
    polygons, box = row.get("segmentation"), row.get("bbox")
    if are_polygons(polygons, least=0):
        kept = [part for part in row["segmentation"] if not is_flat(part)]
        stray = len(row["segmentation"]) - len(kept)
        if kept and stray:
            row["segmentation"] = kept
            repairs.append(f"{counted(stray, 'stray part')} of its polygons dropped")
    if is_box(box) and min(row["bbox"][2:]) < 0 and 0 not in row["bbox"][2:]:
        x, y, across, down = row["bbox"]
        turned = [min(x, x + across), min(y, y + down), abs(across), abs(down)]
        if fits([(x, y), (x + across, y + down)], size):
            row["bbox"] = turned
            repairs.append("flipped box turned round")
    return repairs


def _find_emptiness(row: Record, size: Size) -> str:
    """Return why an annotation has no area at all; empty if it may have one."""
    box, polygons = row.get("bbox"), row.get("segmentation")
    if has_keypoints(row):
        return ""
    flat_box = is_box(box) and 0 in row["bbox"][2:]
    bare_polygons = (
        bool(polygons) and are_polygons(polygons) and _is_bare(row["segmentation"], size)
    )
    if flat_box and polygons in (None, []):
        return "its box has no area"
    if flat_box and bare_polygons:
        return "its box has no area, and its polygons have no pixel"
    if box is None and bare_polygons:
        return "its polygons have no pixel"
    return "it has neither a box nor a polygon" if box is None and polygons == [] else ""


def _is_bare(polygons: list[list[float]], size: Size) -> bool:
    """Return whether polygons inside their image cover no pixel of it."""
    counts, wrong = parse_polygons(polygons, size)
    width, height = size
    return wrong is None and not areas([counts], height, width)[0]


def _clip(row: Record, size: Size) -> Record | None:
    """Return the clipped box and polygons of an annotation, if they leave its image.

    Returns:
        the new values; none if nothing leaves the image; None if less than half is inside.
    """
    values: Record = {}
    box, polygons = row.get("bbox"), row.get("segmentation")
    if is_box(box) and min(row["bbox"][2:]) > 0:
        x, y, across, down = row["bbox"]
        if not fits([(x, y), (x + across, y + down)], size):
            if box_share_inside(row["bbox"], size) < _LEAST_INSIDE:
                return None
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + across, size[0]), min(y + down, size[1])
            values["bbox"] = [left, top, right - left, bottom - top]
    if polygons and are_polygons(polygons) and not fits(points_of(row["segmentation"]), size):
        parts = [clip_polygon(part, size) for part in row["segmentation"]]
        parts = [part for part in parts if not is_flat(part)]
        share = polygons_share_inside(row["segmentation"], size)
        if share < _LEAST_INSIDE or not parts or _is_bare(parts, size):
            return None
        values["segmentation"] = parts
    return values
