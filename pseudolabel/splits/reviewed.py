"""The source of reviewed labels: each annotation has it; a CSV says who reviewed which image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pseudolabel.core.files import write_csv
from pseudolabel.core.records import REVIEW_ROUND, Dataset, Images
from pseudolabel.formats.split_folder import REVIEWS
from pseudolabel.raw.reviewed import Review


def mark_reviewed(dataset: Dataset, reviews: Mapping[str, Review]) -> Dataset:
    """Return a split in which the labels of reviewed images have REVIEW_ROUND as their round."""
    images, rows = dataset.images, dataset.annotations
    reviewed = images.ids[np.isin(images.file_names, list(reviews))]
    rounds = np.where(np.isin(rows.image_ids, reviewed), REVIEW_ROUND, rows.rounds)
    return replace(dataset, annotations=replace(rows, rounds=rounds.astype(np.int16)))


def write_reviews(folder: Path, gold: Images, reviews: Mapping[str, Review]) -> None:
    """Write a row per reviewed image of gold: its name, who reviewed it, and the round.

    Args:
        folder: the folder of gold.
        gold: its images.
        reviews: the reviews by the names of images. Those of images that are not in gold, because
            they have a duplicate in a split that is measured on, are left out.
    """
    names = [name for name in gold.file_names.tolist() if name in reviews]
    rows = [
        {"file": name, "reviewer": reviews[name].reviewer, "round": reviews[name].round}
        for name in sorted(names)
    ]
    if rows:
        write_csv(folder / REVIEWS, rows)
