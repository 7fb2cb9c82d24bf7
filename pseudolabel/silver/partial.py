"""Objects that silver adds to gold images whose labels are not complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudolabel.core.boxes import covered_shares
from pseudolabel.core.datasets import PARTIAL
from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Annotations, Dataset, category_ids_of
from pseudolabel.formats.shards import list_shards, read_shards, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.silver.task_filter import TaskFilter

_OVERLAP = 0.2
"""An object overlaps a gold label if more than this share of either box lies inside the other."""


def filter_partial(
    prepared: Path, predictions: Path, output: Path, task_filter: TaskFilter, shard_images: int
) -> dict[str, Any]:
    """Write the objects that may be added to gold, print a line, and return their numbers.

    The same filter and thresholds apply as to the pool. Uncertain objects are hidden, as in silver.
    An object that overlaps a label of gold is left out, of whatever class the label is.

    Args:
        prepared: the folder of prepared data.
        predictions: the folder of predictions.
        output: the silver folder; shards are written into its subfolder `partial`.
        task_filter: the filter of the task.
        shard_images: number of images per shard.

    Returns:
        The entry `partial` of the report; {} if all of gold is complete.
    """
    partial = SplitFolder(prepared / PARTIAL).read()
    if not len(partial.images):
        return {}
    gold = SplitFolder(prepared / "gold").read()
    # An image without a sure object still has uncertain ones to hide.
    section = task_filter.section.model_copy(update={"min_boxes": 0})
    any_count = replace(task_filter, section=section)
    kept, overlapping = [Annotations.empty()], 0
    for shard in list_shards(predictions / PARTIAL, partial.images, shard_images):
        rows = any_count.filter_shard(shard, output).silver
        rows = rows[np.isin(rows.category_ids, category_ids_of(partial.categories))]
        rows = rows[np.argsort(rows.image_ids, kind="stable")]
        free = _apart_from_gold(rows, gold)
        overlapping += int((~free).sum())
        write_shard(output / PARTIAL / shard.path.name, rows[free])
        kept.append(rows[free])
    added = Annotations.concatenate(kept)
    sure = added[~added.crowds]
    counts = np.bincount(sure.class_indices(gold.categories), minlength=len(gold.categories))
    report = {
        "images": len(partial.images),
        "images_with_additions": len(np.unique(sure.image_ids)),
        "added": dict(zip(gold.class_names, counts.tolist(), strict=True)),
        "hidden": int(added.crowds.sum()),
        "overlapping_gold": overlapping,
    }
    print(_describe(report))
    return {PARTIAL: report}


def _describe(counts: dict[str, Any]) -> str:
    """Return a line about the objects that are added to gold."""
    return (
        f"gold: {sum(counts['added'].values()):,} objects added and {counts['hidden']:,} hidden on "
        f"{counts['images']:,} partly labelled images; {counts['overlapping_gold']:,} left out "
        "because a gold label is there"
    )


def _apart_from_gold(rows: Annotations, gold: Dataset) -> NDArray[np.bool_]:
    """Return which of (n,) objects, sorted by image, no label of gold overlaps."""
    ids = np.unique(rows.image_ids)
    pairs = zip(rows.by_image(ids), gold.annotations.by_image(ids), strict=True)
    free = [
        (_shares(found, labels) <= _OVERLAP) & (_shares(labels, found).T <= _OVERLAP)
        for found, labels in pairs
    ]
    return np.concatenate([np.empty(0, bool), *(apart.all(axis=1) for apart in free)])


def _shares(inner: Annotations, outer: Annotations) -> NDArray[np.float32]:
    return covered_shares(inner.boxes_xyxy, outer.boxes_xyxy)


def gold_with_additions(gold: Dataset, silver: Path, prepared: Path) -> Dataset | None:
    """Return gold with the objects that silver adds to it; None if it adds none.

    Args:
        gold: the split.
        silver: the silver folder.
        prepared: the folder of prepared data.

    Raises:
        DataError: an object is on an image that is not partly labelled.
    """
    if not (silver / PARTIAL).is_dir():
        return None
    added = read_shards(silver / PARTIAL)
    allowed = SplitFolder(prepared / PARTIAL).read().images.ids
    allowed = allowed[np.isin(allowed, gold.images.ids)]
    foreign = np.unique(added.image_ids[~np.isin(added.image_ids, allowed)])
    if len(foreign):
        expected = "a partly labelled image of gold"
        raise DataError(
            [Fault("silver", f"image id {number}", expected, "another image") for number in foreign]
        )
    first = int(gold.annotations.ids.max(initial=0)) + 1
    added = replace(added, ids=np.arange(first, first + len(added), dtype=np.int64))
    rows = Annotations.concatenate([gold.annotations, added])
    return replace(gold, annotations=rows[np.argsort(rows.image_ids, kind="stable")])
