"""Masks as COCO's compressed run lengths: bytes that encode the image column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pycocotools.mask as coco_masks
from numpy.typing import NDArray

RunLengths = Sequence[bytes] | NDArray[np.object_]


def _to_coco(counts: RunLengths, height: int, width: int) -> list[dict[str, object]]:
    """Return masks of one image in the form that pycocotools expects."""
    return [{"size": [height, width], "counts": mask} for mask in counts]


def encode(masks: NDArray[np.bool_]) -> list[bytes]:
    """Return the run lengths of (n, h, w) masks."""
    in_columns = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))
    return [row["counts"] for row in coco_masks.encode(in_columns)]


def decode(counts: RunLengths, height: int, width: int) -> NDArray[np.bool_]:
    """Return the (n, h, w) masks of run lengths."""
    if not len(counts):
        return np.zeros((0, height, width), bool)
    decoded = coco_masks.decode(_to_coco(counts, height, width))
    return np.ascontiguousarray(decoded.transpose(2, 0, 1)).astype(bool)


def areas(counts: RunLengths, height: int, width: int) -> NDArray[np.float32]:
    """Return the (n,) areas of masks in pixels."""
    # pycocotools 2.0.11 with numpy 2 fails on more than 255 masks per call.
    parts = [counts[begin : begin + 255] for begin in range(0, len(counts), 255)]
    found = [coco_masks.area(_to_coco(part, height, width)) for part in parts]
    return np.concatenate([np.empty(0), *found]).astype(np.float32)


def boxes_xyxy(counts: RunLengths, height: int, width: int) -> NDArray[np.float32]:
    """Return the (n, 4) boxes around masks."""
    if not len(counts):
        return np.empty((0, 4), np.float32)
    boxes = np.asarray(coco_masks.toBbox(_to_coco(counts, height, width)), np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def from_polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> bytes:
    """Return the run lengths of the union of polygons, each given as x, y, x, y, ..."""
    parts = coco_masks.frPyObjects([list(map(float, row)) for row in polygons], height, width)
    return bytes(coco_masks.merge(parts)["counts"])


def from_runs(runs: Sequence[int], height: int, width: int) -> bytes:
    """Return plain run lengths, whose sum is height * width, in compressed form."""
    plain = {"size": [height, width], "counts": list(runs)}
    return bytes(coco_masks.frPyObjects(plain, height, width)["counts"])


def decode_run_lengths(counts: bytes) -> Iterator[int]:
    """Yield the run lengths of a compressed mask: COCO's code has five bits per character.

    Raises:
        ValueError: the last run is truncated, or a character is not part of the code.
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
        raise ValueError("a truncated run")


def iou_matrix(one: RunLengths, other: RunLengths, height: int, width: int) -> NDArray[np.float32]:
    """Return the (n, m) intersections over union of n masks and m masks of one image."""
    rows, columns = _to_coco(one, height, width), _to_coco(other, height, width)
    found = np.asarray(coco_masks.iou(rows, columns, [0] * len(columns)), np.float32)
    return found.reshape(len(rows), len(columns))


def covered_shares(
    one: RunLengths, other: RunLengths, height: int, width: int
) -> NDArray[np.float64]:
    """Return the (n, m) share of each of n masks that each of m masks of its image covers."""
    rows, columns = _to_coco(one, height, width), _to_coco(other, height, width)
    # If the second mask is a crowd, pycocotools divides by the area of the first mask.
    found = np.asarray(coco_masks.iou(rows, columns, [1] * len(columns)), np.float64)
    return found.reshape(len(rows), len(columns))


def coco_overlaps(
    one: RunLengths, other: RunLengths, crowds: NDArray[np.bool_], height: int, width: int
) -> NDArray[np.float64]:
    """Return the (n, m) overlaps of n masks and m masks of one image, as COCO's evaluation does.

    An overlap is the IoU, or the share of the first mask inside the second one if that is a crowd.
    """
    rows, columns = _to_coco(one, height, width), _to_coco(other, height, width)
    found = np.asarray(coco_masks.iou(rows, columns, crowds.tolist()), np.float64)
    return found.reshape(len(rows), len(columns))


def uncovered(
    counts: RunLengths, scores: NDArray[np.float32], height: int, width: int, max_overlap: float
) -> NDArray[np.bool_]:
    """Return the (n,) masks of one image that are kept after removing covered masks.

    A mask is removed if one kept mask of a higher score covers too much of it.

    Args:
        counts: n masks of the image.
        scores: (n,) scores; of equal scores, the earlier mask counts as the higher.
        height: height of the image.
        width: width of the image.
        max_overlap: the largest share of a mask's pixels that one other mask may cover.
    """
    kept = np.zeros(len(scores), bool)
    if not len(scores):
        return kept
    shares = covered_shares(counts, counts, height, width)
    for row in np.argsort(-scores, kind="stable"):
        kept[row] = not (shares[row, kept] > max_overlap).any()
    return kept
