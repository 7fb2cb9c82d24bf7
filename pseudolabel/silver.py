"""From predictions to silver labels, with a record of what was done and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pseudolabel.alarms import Amounts, alarms_of
from pseudolabel.datasets import TUNING
from pseudolabel.errors import DataError, Fault, ParamsError, SilverError
from pseudolabel.files import read_json, write_json, written_aside
from pseudolabel.filters.counts import Counts, Filtering
from pseudolabel.formats import tables
from pseudolabel.formats.coco import FILE, read_coco
from pseudolabel.params.filtering import Filter
from pseudolabel.pool import choose_images, judge_shards
from pseudolabel.records import Category, Dataset
from pseudolabel.silver_record import AGREEMENT, REPORT, agreement, gold_amounts, said_of_scores
from pseudolabel.tuning import tune

TOLD = 10
"""Thresholds that are printed; the report has all."""


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
        report = pool.counts.report(dataset.categories) | {"tuning": tuning}
        report |= said_of_scores(aside, rule.reasons, dataset.categories)
        others = [gold_amounts(prepared / "gold", rule.reasons)]
        if before is not None:
            others.append(amounts_before(before, rule.reasons.unit, dataset.categories))
            report[AGREEMENT] = agreement(aside, before, filtering)
        silver = Amounts("silver", pool.counts.kept, report["mean_score"])
        names = [category.name for category in dataset.categories]
        report["alarms"] = alarms_of(silver, others, names, section.alarm_factor)
        write_json(aside / REPORT, report)
        write_json(aside / tables.TEACHER, teacher)
    print(said_of(report, rule.reasons.unit, section))
    refuse_useless(pool.counts, dataset, output)
    raise_alarms(report["alarms"], section.alarms)


def amounts_before(silver: Path, unit: str, categories: tuple[Category, ...]) -> Amounts:
    """Return how much of each class the silver of the round before had."""
    names = [category.name for category in categories]
    return Amounts.of_report("the round before", read_json(silver / REPORT), unit, names)


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
    chosen, report = tune(trials, truth.categories, section, output)
    if section.score == "auto":
        section = section.model_copy(update={"score": chosen.thresholds})
    return section, chosen.temperature, report | {"images": len(truth.images)}


def raise_alarms(alarms: list[str], wanted: str) -> None:
    """Tell alarms, or stop at them.

    Raises:
        SilverError: there are alarms, and `wanted` is "stop".
    """
    if alarms and wanted == "stop":
        raise SilverError("; ".join(alarms) + " (filter.alarms: warn lets this pass)")
    for alarm in alarms if wanted == "warn" else []:
        print(f"warning: {alarm}")


def said_of(report: dict[str, Any], unit: str, section: Filter) -> str:
    """Return in words how much silver there is, and by which thresholds."""
    counts, images = report[unit], report["images"]
    hidden = sum(counts["hidden_by_class"].values())
    said = f"silver: {counts['out']:,} of {counts['in']:,} {unit} kept, "
    said += f"{hidden:,} hidden, " if hidden else ""
    said += f"on {images['out']:,} of {images['in']:,} images; "
    if not isinstance(section.threshold, dict):
        return f"{said}threshold {section.threshold}"
    values = [f"{name} {value}" for name, value in section.threshold.items()]
    more = [f"and {len(values) - TOLD} more"] if len(values) > TOLD else []
    return f"{said}thresholds: {', '.join(values[:TOLD] + more)}"


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
