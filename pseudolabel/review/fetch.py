"""Fetch what persons submitted, compare it with what was sent, and add it to reviewed.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pseudolabel.core.project import PREPARED, REVIEWED_GOLD
from pseudolabel.core.records import Category
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.raw.reviewed import Review
from pseudolabel.review.batch import Batch
from pseudolabel.review.comparison import KINDS, compare_images
from pseudolabel.review.labels import LabelledImage
from pseudolabel.review.reviewed_file import update_reviewed

Returned = tuple[list[LabelledImage], dict[str, Review], list[str]]
"""The submitted images, who submitted each of them, and lines to print."""
Collect = Callable[[Batch, Sequence[Category]], Returned]
"""Returns what persons submitted of a batch."""


def fetch(batch: Batch, collect: Collect) -> list[str]:
    """Add the submitted images of a batch to reviewed.json; return lines for the user.

    Args:
        batch: the batch.
        collect: gets what persons submitted.

    Raises:
        DataError: a label cannot be used; nothing is written.
    """
    categories = SplitFolder(PREPARED / "gold").read().categories
    images, reviews, lines = collect(batch, categories)
    counts = compare_images(batch.images, images)
    shown = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    lines.append(
        f"batch {batch.number}: {len(images)} of {len(batch.images)} images submitted; "
        f"labels: {shown}"
    )
    if images:
        path = update_reviewed(REVIEWED_GOLD, images, reviews, categories)
        lines.append(f"{path}: written; `dvc repro` takes its images into gold")
    return lines
