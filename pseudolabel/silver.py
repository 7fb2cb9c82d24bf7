"""From predictions to silver labels, shard by shard: memory stays flat in the pool's size."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pseudolabel.alarms import Amounts, alarms_of
from pseudolabel.errors import SilverError
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.filters.counts import Counts, Judged, Reasons, Rule
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.params.sections import Filter
from pseudolabel.records import Annotations, Category, Dataset, category_ids_of

REPORT = "report.json"
AT_ONCE = 2
"""Shards filtered at the same time: numpy works outside Python's lock."""

MakeRule = Callable[[list[tables.Shard], tuple[Category, ...], Any, int], Rule]
"""A task's rule for some shards, from the classes, the filter's parameters and the round."""


def write_silver(
    prepared: Path,
    predictions: Path,
    before: Path | None,
    output: Path,
    section: Filter,
    make_rule: MakeRule,
) -> None:
    """Filter the shards of `predictions` into `output`, with a report and a decision an image.

    Args:
        prepared: the folder of prepared data, with gold and the pool.
        predictions: what the teacher said of it.
        before: the silver of the round before, None in round 1.
        output: the folder to write.
        section: the filter's parameters.
        make_rule: the task's rule, from the shards, the classes, the section and the round.

    Raises:
        SilverError: nothing is left, or one class only where gold has several, or there are alarms
            and `section` says to stop; the report is written all the same.
    """
    dataset = read_coco(prepared / "pool" / FILE)
    teacher = read_json(predictions / tables.TEACHER)
    shards = tables.shards_of(predictions, dataset.images, teacher["shard_images"])
    number = teacher["round"]
    rule = make_rule(shards, dataset.categories, section.in_round(number), number)
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        judged, mean_score = judge_shards(shards, rule, len(dataset.categories), aside)
        tables.write_decisions(
            aside / tables.DECISIONS,
            dataset.images.ids,
            judged.left,
            [rule.reasons.images[reason] if reason >= 0 else "" for reason in judged.image_reasons],
        )
        names = [category.name for category in dataset.categories]
        others = [gold_amounts(prepared / "gold", rule.reasons)]
        if before is not None:
            report, unit = read_json(before / REPORT), rule.reasons.unit
            others.append(Amounts.of_report("the round before", report, unit, names))
        silver = Amounts("silver", judged.counts.kept, mean_score)
        alarms = alarms_of(silver, others, names, section.alarm_factor)
        report = judged.counts.report(dataset.categories)
        report |= {"mean_score": mean_score, "alarms": alarms}
        write_json(aside / REPORT, report)
        write_json(aside / tables.TEACHER, teacher)
    refuse_useless(judged.counts, dataset, output)
    raise_alarms(alarms, section.alarms)


def judge_shards(
    shards: list[tables.Shard], rule: Rule, class_count: int, output: Path
) -> tuple[Judged, float]:
    """Filter all shards, write what each keeps, and return all but the annotations.

    Returns:
        What became of images and labels, and the mean score of the labels kept (of pixels, where
        labels are pixels).
    """
    total = Counts.nothing(rule.reasons, class_count)
    left, reasons = [], []
    scores = weights = 0.0

    def judge(shard: tables.Shard) -> Judged:
        judged = rule.judge(shard, output)
        tables.write_shard(output / shard.path.name, judged.silver)
        return judged

    with ThreadPoolExecutor(AT_ONCE) as executor:
        progress = tqdm(total=len(shards), desc="filter", unit="shard", mininterval=2)
        for begin in range(0, len(shards), AT_ONCE):
            for judged in executor.map(judge, shards[begin : begin + AT_ONCE]):
                total += judged.counts
                mine = rule.reasons.amounts(judged.silver)
                scores += float((judged.silver.scores * mine).sum(dtype=np.float64))
                weights += float(mine.sum(dtype=np.float64))
                left.append(judged.left)
                reasons.append(judged.image_reasons)
                progress.update()
        progress.close()
    judged = Judged(Annotations.empty(), np.concatenate(left), np.concatenate(reasons), total)
    return judged, round(scores / max(1.0, weights), 6)


def gold_amounts(gold: Path, reasons: Reasons) -> Amounts:
    """Return how much of each class gold has, in the unit that silver is counted in."""
    dataset = read_coco(gold / FILE)
    rows, ids = dataset.annotations, category_ids_of(dataset.categories)
    classes = np.searchsorted(ids, rows.category_ids)
    counts = np.bincount(classes, reasons.amounts(rows), minlength=len(ids))
    return Amounts("gold", counts.astype(np.int64))


def raise_alarms(alarms: list[str], wanted: str) -> None:
    """Tell alarms, or stop at them.

    Raises:
        SilverError: there are alarms, and `wanted` is "stop".
    """
    if alarms and wanted == "stop":
        raise SilverError("; ".join(alarms) + " (filter.alarms: warn lets this pass)")
    for alarm in alarms if wanted == "warn" else []:
        print(f"warning: {alarm}")


def refuse_useless(counts: Counts, pool: Dataset, output: Path) -> None:
    """Raise where training on the silver would make no sense.

    Raises:
        SilverError: there is none, or all of it is of one class though there are several.
    """
    classes, unit = int((counts.kept > 0).sum()), counts.reasons.unit
    report = f"{output / REPORT} says what was dropped and why"
    if not counts.images_kept or not counts.kept.sum():
        raise SilverError(
            f"no silver label is left of {counts.dropped.sum()} predicted {unit} on "
            f"{len(pool.images)} images: lower filter.score, or train a better teacher; {report}"
        )
    if classes == 1 and len(pool.categories) > 1:
        name = pool.categories[int(counts.kept.argmax())].name
        raise SilverError(
            f"all {counts.kept.sum()} silver {unit} are {name!r}, one of {len(pool.categories)} "
            f"classes: give filter.score by class, or train a better teacher; {report}"
        )
