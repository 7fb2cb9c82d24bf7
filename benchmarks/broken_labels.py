"""Gold labels with errors that were made on purpose, to test the audit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.boxes import areas
from pseudolabel.core.records import Annotations, Dataset, category_ids_of

_KINDS = ("missed", "badly placed", "wrong class")


def break_labels(
    dataset: Dataset, share: float, rng: np.random.Generator
) -> tuple[Dataset, dict[int, str]]:
    """Return the data set with errors in a share of its labels, and the kind of error by id.

    One third of these labels is removed. One third is moved and resized by a third of its sides.
    One third gets another class. Labels without a box all get another class.
    """
    rows = dataset.annotations
    boxed = bool(np.isfinite(rows.boxes_xyxy).all())
    chosen = rng.permutation(len(rows))[: round(share * len(rows))]
    kinds = [_KINDS[number % 3] if boxed else "wrong class" for number in range(len(chosen))]
    broken = {int(rows.ids[row]): kind for row, kind in zip(chosen, kinds, strict=True)}
    categories, boxes = rows.category_ids.copy(), rows.boxes_xyxy.copy()
    kept = np.ones(len(rows), bool)
    known = category_ids_of(dataset.categories)
    sides = dict(
        zip(
            dataset.images.ids.tolist(),
            zip(dataset.images.widths.tolist(), dataset.images.heights.tolist(), strict=True),
            strict=True,
        )
    )
    for row, kind in zip(chosen, kinds, strict=True):
        if kind == "missed":
            kept[row] = False
        elif kind == "wrong class":
            categories[row] = rng.choice(known[known != categories[row]])
        else:
            boxes[row] = _move(boxes[row], sides[int(rows.image_ids[row])], rng)
    changed = replace(rows, category_ids=categories, boxes_xyxy=boxes)
    if boxed:
        changed = replace(changed, areas=areas(boxes))
    annotations: Annotations = changed[kept]
    return replace(dataset, annotations=annotations), broken


def _move(
    box: NDArray[np.float32], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return a box that is moved by a third of its sides, and a third larger or smaller."""
    sides = box[2:] - box[:2]
    centre = (box[:2] + box[2:]) / 2 + sides * rng.choice([-1, 1], 2) / 3
    sides = sides * rng.choice([2 / 3, 4 / 3], 2)
    limit = np.array(size, np.float32)
    low, high = np.clip(centre - sides / 2, 0, limit - 2), np.clip(centre + sides / 2, 2, limit)
    return np.concatenate([low, np.maximum(high, low + 2)]).astype(np.float32)
