"""What is put on record of a round's silver, beside what the filters dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pseudolabel.alarms import Amounts
from pseudolabel.filters.counts import Filtering, Reasons
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.records import Annotations, Category, category_ids_of, positions

REPORT = "report.json"
AGREEMENT = "agreement_with_round_before"
"""In the report: what share of labels that two rounds can be compared in is the same."""
SCORE_BINS = 20
"""Bins of the histograms of scores."""


def said_of_scores(
    silver: Path, reasons: Reasons, categories: tuple[Category, ...]
) -> dict[str, Any]:
    """Return the mean score of all labels and, for each class, a histogram of their scores."""
    histograms = np.zeros((len(categories), SCORE_BINS))
    total = 0.0
    ids = category_ids_of(categories)
    for path in tables.shard_paths(silver):
        rows = tables.read_shard(path)
        rows = rows[~rows.crowds]
        amounts = reasons.amounts(rows).astype(np.float64)
        bins = np.minimum((rows.scores * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        cells = positions(rows.category_ids, ids) * SCORE_BINS + bins
        histograms += np.bincount(cells, amounts, histograms.size).reshape(histograms.shape)
        total += float((rows.scores * amounts).sum())
    counts = histograms.round().astype(np.int64).tolist()
    return {
        "mean_score": round(total / max(1.0, float(histograms.sum())), 6),
        "scores": {
            "edges": [round(it / SCORE_BINS, 2) for it in range(SCORE_BINS + 1)],
            "counts": dict(zip([it.name for it in categories], counts, strict=True)),
        },
    }


def agreement(now: Path, before: Path, filtering: Filtering) -> dict[str, float | int]:
    """Return how much of two rounds' silver is alike."""
    same = compared = 0
    for rows, others in side_by_side(now, before):
        both = filtering.agreement(rows, others, now, before)
        same, compared = same + both[0], compared + both[1]
    return {"same": same, "compared": compared, "share": round(same / max(1, compared), 6)}


def side_by_side(now: Path, before: Path) -> Iterator[tuple[Annotations, Annotations]]:
    """Yield the rows of each shard of two rounds, those of the second on the same images.

    Both are in order of the images' ids; of the second, a shard at a time is in memory.
    """
    waiting = Annotations.empty()
    others = map(tables.read_shard, tables.shard_paths(before))
    paths = tables.shard_paths(now)
    for number, path in enumerate(paths):
        rows = tables.read_shard(path)
        last = int(rows.image_ids.max(initial=-1))
        if number == len(paths) - 1:
            last = np.iinfo(np.int64).max
        while len(waiting) == 0 or waiting.image_ids.max() <= last:
            part = next(others, None)
            if part is None:
                break
            waiting = Annotations.concatenate([waiting, part])
        mine = waiting.image_ids <= last
        yield rows, waiting[mine]
        waiting = waiting[~mine]


def gold_amounts(gold: Path, reasons: Reasons) -> Amounts:
    """Return how much of each class gold has, in the unit that silver is counted in."""
    dataset = read_coco(gold / FILE)
    rows, ids = dataset.annotations, category_ids_of(dataset.categories)
    counts = np.bincount(positions(rows.category_ids, ids), reasons.amounts(rows), len(ids))
    return Amounts("gold", counts.astype(np.int64))
