"""Masks as COCO's compressed run lengths: bytes, column by column over the whole image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pycocotools.mask as coco_masks
from numpy.typing import NDArray

Counts = Sequence[bytes] | NDArray[np.object_]


def runs_of(counts: Counts, height: int, width: int) -> list[dict[str, object]]:
    """Return masks of one image in the form that pycocotools takes."""
    return [{"size": [height, width], "counts": it} for it in counts]


def encode(masks: NDArray[np.bool_]) -> list[bytes]:
    """Return the run lengths of (n, h, w) masks."""
    in_columns = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))
    return [row["counts"] for row in coco_masks.encode(in_columns)]


def decode(counts: Counts, height: int, width: int) -> NDArray[np.bool_]:
    """Return the (n, h, w) masks of run lengths."""
    if not len(counts):
        return np.zeros((0, height, width), bool)
    decoded = coco_masks.decode(runs_of(counts, height, width))
    return np.ascontiguousarray(decoded.transpose(2, 0, 1)).astype(bool)


def areas(counts: Counts, height: int, width: int) -> NDArray[np.float32]:
    """Return the (n,) pixels that each mask has."""
    # pycocotools 2.0.11 with numpy 2 takes 255 masks at once, and fails on more.
    parts = [counts[begin : begin + 255] for begin in range(0, len(counts), 255)]
    found = [coco_masks.area(runs_of(part, height, width)) for part in parts]
    return np.concatenate([np.empty(0), *found]).astype(np.float32)


def boxes_xyxy(counts: Counts, height: int, width: int) -> NDArray[np.float32]:
    """Return the (n, 4) boxes around masks."""
    if not len(counts):
        return np.empty((0, 4), np.float32)
    boxes = np.asarray(coco_masks.toBbox(runs_of(counts, height, width)), np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def from_polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> bytes:
    """Return the run lengths of the pixels that any of some polygons (x, y, x, y, ...) covers."""
    parts = coco_masks.frPyObjects([list(map(float, it)) for it in polygons], height, width)
    return bytes(coco_masks.merge(parts)["counts"])


def from_runs(runs: Sequence[int], height: int, width: int) -> bytes:
    """Return the compressed form of plain run lengths that add up to the image's pixels."""
    plain = {"size": [height, width], "counts": list(runs)}
    return bytes(coco_masks.frPyObjects(plain, height, width)["counts"])


def run_lengths(counts: bytes) -> Iterator[int]:
    """Yield the run lengths of a compressed mask, in COCO's code of five bits a character.

    Raises:
        ValueError: the last run is cut short, or a character does not belong to the code.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the character {chr(character)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        # From the fourth run on, the code holds the difference to the run two before.
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        yield runs[-1]
        value = shift = 0
    if shift:
        raise ValueError("a run that is cut short")


def iou_matrix(one: Counts, other: Counts, height: int, width: int) -> NDArray[np.float32]:
    """Return the (n, m) intersections over union of n masks with m masks of one image."""
    rows, columns = runs_of(one, height, width), runs_of(other, height, width)
    found = np.asarray(coco_masks.iou(rows, columns, [0] * len(columns)), np.float32)
    return found.reshape(len(rows), len(columns))


def covered_shares(counts: Counts, height: int, width: int) -> NDArray[np.float64]:
    """Return the (n, n) shares of each mask's pixels (rows) that each other mask (columns) has."""
    rows = runs_of(counts, height, width)
    # With a crowd as its opposite, pycocotools divides by the area of the first mask alone.
    return np.asarray(coco_masks.iou(rows, rows, [1] * len(rows)), np.float64).reshape(
        len(rows), len(rows)
    )


def uncovered(
    counts: Counts, scores: NDArray[np.float32], height: int, width: int, max_overlap: float
) -> NDArray[np.bool_]:
    """Return which masks of one image no better mask that is kept covers by too much.

    Args:
        counts: n masks of the image.
        scores: (n,) scores; of equal ones, the earlier is the better.
        height: of the image.
        width: of the image.
        max_overlap: the largest share of a mask's pixels that one better mask may have.
    """
    kept = np.zeros(len(scores), bool)
    if not len(scores):
        return kept
    shares = covered_shares(counts, height, width)
    for row in np.argsort(-scores, kind="stable"):
        kept[row] = not (shares[row, kept] > max_overlap).any()
    return kept
