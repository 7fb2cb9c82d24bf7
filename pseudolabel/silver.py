"""From predictions to silver labels, shard by shard: memory stays flat in the pool's size."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pseudolabel.alarms import Amounts, alarms_of
from pseudolabel.datasets import TUNING
from pseudolabel.errors import DataError, Fault, ParamsError, SilverError
from pseudolabel.files import read_json, remove, write_json, written_aside
from pseudolabel.filters.choice import Labels, top_share, within_quotas
from pseudolabel.filters.counts import Counts, Filtering, Reasons, Rule
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.formats.label_maps import map_path
from pseudolabel.params.sections import Filter
from pseudolabel.records import Annotations, Category, Dataset, category_ids_of, positions
from pseudolabel.tuning import tune

REPORT = "report.json"
AT_ONCE = 2
"""Shards filtered at the same time: numpy works outside Python's lock."""
SCORE_BINS = 20
"""Bins of the histograms of scores."""


def write_silver(
    prepared: Path,
    predictions: Path,
    before: Path | None,
    output: Path,
    section: Filter,
    filtering: Filtering,
) -> None:
    """Filter the shards of `predictions` into `output`, with a report and a decision an image.

    Args:
        prepared: the folder of prepared data, with gold, the pool and tuning.
        predictions: what the teacher said of the pool and of tuning.
        before: the silver of the round before, None in round 1.
        output: the folder to write.
        section: the filter's parameters.
        filtering: the task's way of filtering.

    Raises:
        SilverError: nothing is left, or one class only where gold has several, or there are alarms
            and `section` says to stop; the report is written all the same.
        ParamsError: something is to be chosen from data that is not there.
    """
    dataset = read_coco(prepared / "pool" / FILE)
    teacher = read_json(predictions / tables.TEACHER)
    shards = tables.shards_of(predictions, dataset.images, teacher["shard_images"])
    number = teacher["round"]
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        section, temperature, tuning = tuned(
            section.in_round(number), prepared, predictions, aside, filtering
        )
        rule = filtering.make_rule(dataset.categories, section, number, temperature)
        pool = judge_shards(shards, rule, dataset.categories, aside)
        pool = choose_images(pool, predictions, section, aside)
        reasons = [rule.reasons.images[it] if it >= 0 else "" for it in pool.image_reasons]
        decisions = aside / tables.DECISIONS
        tables.write_decisions(decisions, pool.ids, pool.left, pool.reliabilities, reasons)
        names = [category.name for category in dataset.categories]
        others = [gold_amounts(prepared / "gold", rule.reasons)]
        report = pool.counts.report(dataset.categories)
        scores = said_of_scores(aside, rule.reasons, dataset.categories)
        report |= scores
        if before is not None:
            unit = rule.reasons.unit
            earlier = read_json(before / REPORT)
            others.append(Amounts.of_report("the round before", earlier, unit, names))
            report["agreement_with_round_before"] = agreement(aside, before, filtering)
        silver = Amounts("silver", pool.counts.kept, scores["mean_score"])
        alarms = alarms_of(silver, others, names, section.alarm_factor)
        write_json(aside / REPORT, report | {"alarms": alarms, "tuning": tuning})
        write_json(aside / tables.TEACHER, teacher)
    refuse_useless(pool.counts, dataset, output)
    raise_alarms(alarms, section.alarms)


def tuned(
    section: Filter, prepared: Path, predictions: Path, output: Path, filtering: Filtering
) -> tuple[Filter, float, dict[str, object] | None]:
    """Return the filter with thresholds as chosen on held-out gold, a temperature, and a report.

    Raises:
        ParamsError: something is to be chosen, and there is no gold held out for that.
        DataError: an image of it cannot be decoded.
    """
    truth = read_coco(prepared / TUNING / FILE)
    asked = section.score == "auto" or section.calibrate
    if not len(truth.images):
        if asked:
            raise ParamsError(
                "filter.score: auto and filter.calibrate need images to choose by, found none: "
                "set prepare.tuning_share above 0, and give val at least two images"
            )
        return section, 1.0, None
    size = read_json(predictions / tables.TEACHER)["shard_images"]
    shards = tables.shards_of(predictions / TUNING, truth.images, size)
    unreadable = [name for shard in shards for name in tables.read_unreadable(shard.path)]
    if unreadable:
        expected = "an image that can be decoded"
        raise DataError([Fault(name, "", expected, "a damaged file") for name in unreadable])
    trials = filtering.trials(shards, truth, prepared / TUNING, section)
    names = [category.name for category in truth.categories]
    chosen, report = tune(trials, names, section, output)
    if section.score == "auto":
        section = section.model_copy(update={"score": chosen.thresholds})
    return section, chosen.temperature, report | {"images": len(truth.images)}


@dataclass(frozen=True)
class Pool:
    """What became of the whole pool.

    Attributes:
        shards: the files of silver, in order.
        starts: (s + 1,) row of the first image of each shard, and the number of images.
        left: (n,) boxes, pixels or labels that each image had when it was judged.
        image_reasons: (n,) index into the image reasons, -1 for an image that is kept.
        reliabilities: (n,) of each image.
        labels: how many labels of each class each image has.
        ids: (n,) ids of the images.
        category_ids: (c,) ids of the classes.
        counts: what went in and what became of it.
    """

    shards: list[Path]
    starts: NDArray[np.int64]
    left: NDArray[np.int64]
    image_reasons: NDArray[np.int64]
    reliabilities: NDArray[np.float32]
    labels: Labels
    ids: NDArray[np.int64]
    category_ids: NDArray[np.int32]
    counts: Counts


def judge_shards(
    shards: list[tables.Shard], rule: Rule, categories: tuple[Category, ...], output: Path
) -> Pool:
    """Filter all shards, each image by what the teacher said of it, and write what each keeps."""
    counts = Counts.nothing(rule.reasons, len(categories))
    starts = np.cumsum([0, *(len(shard.images) for shard in shards)])
    ids = category_ids_of(categories)
    parts: list[tuple[Any, ...]] = []
    labels = []

    def judge(number: int) -> tuple[tuple[Any, ...], Labels, Counts]:
        judged = rule.judge(shards[number], output)
        silver = judged.silver
        tables.write_shard(output / shards[number].path.name, silver)
        rows = positions(silver.image_ids, shards[number].images.ids) + starts[number]
        found = Labels.of(silver, rows, positions(silver.category_ids, ids))
        columns = judged.left, judged.image_reasons, judged.reliabilities
        return columns, found, judged.counts

    with ThreadPoolExecutor(AT_ONCE) as executor:
        progress = tqdm(total=len(shards), desc="filter", unit="shard", mininterval=2)
        for begin in range(0, len(shards), AT_ONCE):
            numbers = range(begin, min(begin + AT_ONCE, len(shards)))
            for columns, found, mine in executor.map(judge, numbers):
                counts += mine
                parts.append(columns)
                labels.append(found)
                progress.update()
        progress.close()
    left, reasons, reliabilities = (np.concatenate(it) for it in zip(*parts, strict=True))
    joined = (np.concatenate([getattr(it, name) for it in labels]) for name in LABEL_COLUMNS)
    return Pool(
        [output / shard.path.name for shard in shards],
        starts,
        left,
        reasons,
        reliabilities,
        Labels(*joined),
        np.concatenate([shard.images.ids for shard in shards]),
        ids,
        counts,
    )


LABEL_COLUMNS = ("image_rows", "classes", "counts")


def choose_images(pool: Pool, predictions: Path, section: Filter, output: Path) -> Pool:
    """Return the pool with the images dropped that others are to be preferred to.

    Raises:
        ParamsError: stability is to decide, and was not measured.
    """
    if section.reliability == "stability":
        pool = replace(pool, reliabilities=measured_stabilities(predictions, pool.ids))
    reasons = pool.counts.reasons.images
    if section.top_share < 1:
        readable = pool.image_reasons != reasons.index("unreadable")
        chosen = top_share(pool.reliabilities, readable, section)
        pool = without(pool, ~chosen, reasons.index("top_share"), output)
    if section.max_per_class is not None:
        kept = pool.image_reasons < 0
        chosen = within_quotas(pool.labels, pool.reliabilities, kept, section.max_per_class)
        pool = without(pool, ~chosen, reasons.index("max_per_class"), output)
    return pool


def measured_stabilities(predictions: Path, image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the (n,) stability of each image, 0 for one that could not be read.

    Raises:
        ParamsError: they were not measured.
    """
    ids, values = tables.read_stabilities(predictions)
    if not len(ids):
        raise ParamsError(
            "filter.reliability: stability was not measured: set pseudo_label.stability"
        )
    found = np.zeros(len(image_ids), np.float32)
    found[positions(ids, image_ids)] = values
    return found


def without(pool: Pool, goes: NDArray[np.bool_], reason: int, output: Path) -> Pool:
    """Return the pool after some images are dropped, and rewrite the shards that had any."""
    goes = goes & (pool.image_reasons < 0)
    counts = pool.counts
    by_reason = np.zeros(len(counts.reasons.images), np.int64)
    for path, begin, end in zip(pool.shards, pool.starts[:-1], pool.starts[1:], strict=True):
        gone = pool.ids[begin:end][goes[begin:end]]
        if not len(gone):
            continue
        silver = tables.read_shard(path)
        leaving = np.isin(silver.image_ids, gone)
        by_reason[reason] = len(gone)
        classes = positions(silver.category_ids[leaving], pool.category_ids)
        counts = counts.without_images(silver[leaving], classes, by_reason)
        tables.write_shard(path, silver[~leaving])
        for image_id in gone.tolist():
            remove(map_path(output, image_id))
    image_reasons = np.where(goes, reason, pool.image_reasons)
    return replace(pool, image_reasons=image_reasons, counts=counts)


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
