"""Filter predictions into silver labels, with a report of the labels kept and dropped."""

from __future__ import annotations

from pathlib import Path

from pseudolabel.core.datasets import TUNING
from pseudolabel.core.errors import DataError, Fault, ParamsError, SilverError
from pseudolabel.core.files import read_json, write_json, written_aside
from pseudolabel.core.records import Category
from pseudolabel.formats.shards import TEACHER_FILE, WITHOUT_TUNING, list_shards, read_unreadable
from pseudolabel.formats.silver_folder import DECISIONS, REPORT, write_decisions
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.filter import Filter
from pseudolabel.silver.filter_counts import Counts
from pseudolabel.silver.filter_pool import PoolResult, filter_pool
from pseudolabel.silver.partial import filter_partial
from pseudolabel.silver.report import build_report, describe_silver
from pseudolabel.silver.task_filter import TaskFilter
from pseudolabel.silver.thresholds import Thresholds, choose_thresholds


def write_silver(
    prepared: Path,
    predictions: Path,
    before: Path | None,
    output: Path,
    section: Filter,
    task_filter: type[TaskFilter],
) -> None:
    """Filter predictions into a silver folder, with a report and one decision per image.

    Args:
        prepared: the folder of prepared data, with gold, the pool and tuning.
        predictions: the teacher's predictions for the pool and for tuning.
        before: the silver of the round before, None in round 1.
        output: the folder to write.
        section: the filter's parameters in this round.
        task_filter: the filter of the task.

    Raises:
        SilverError: too few labels or classes are left, or an alarm stops. Silver is written.
        ParamsError: `filter.score: auto` or `filter.calibrate` need tuning, which has no images.
    """
    pool = SplitFolder(prepared / "pool").read()
    teacher = read_json(predictions / TEACHER_FILE)
    shards = list_shards(predictions, pool.images, teacher["shard_images"])
    with written_aside(output) as aside:
        aside.mkdir(parents=True)
        write_json(aside / TEACHER_FILE, teacher)
        thresholds = _choose(prepared, predictions, aside, section, task_filter)
        if thresholds is not None and section.score == "auto":
            section = section.model_copy(update={"score": thresholds.by_class})
        temperature = thresholds.temperature if thresholds is not None else 1.0
        chosen = task_filter(pool.categories, section, teacher["round"], temperature)
        result = filter_pool(shards, chosen, pool.categories, predictions, section, aside)
        _write_decisions(aside / DECISIONS, result)
        places = prepared / "gold", aside, before
        parts = result.counts, pool.categories, task_filter
        report = build_report(*parts, *places, section.alarm_factor)
        report["tuning"] = thresholds.report if thresholds is not None else None
        report |= filter_partial(prepared, predictions, aside, chosen, teacher["shard_images"])
        write_json(aside / REPORT, report)
    print(describe_silver(report, result.counts.reasons.unit, section))
    _check_silver(result.counts, pool.categories, output)
    _raise_alarms(report["alarms"], section.alarms)


def _write_decisions(path: Path, pool: PoolResult) -> None:
    """Write one row per image of the pool: the reason to drop it, or none."""
    write_decisions(path, pool.image_ids, pool.labels_left, pool.reliabilities, pool.reason_names)


def _choose(
    prepared: Path,
    predictions: Path,
    output: Path,
    section: Filter,
    task_filter: type[TaskFilter],
) -> Thresholds | None:
    """Return the thresholds and the temperature of this round; None if tuning is of no use."""
    tuning = SplitFolder(prepared / TUNING)
    truth = tuning.read()
    teacher = read_json(predictions / TEACHER_FILE)
    is_needed = section.score == "auto" or section.calibrate
    if not len(truth.images):
        if is_needed:
            raise ParamsError(
                "filter.score: auto and filter.calibrate need images in the split tuning, found "
                "none: set prepare.tuning_share above 0, and give val at least two images"
            )
        return None
    if WITHOUT_TUNING in teacher:
        if is_needed:
            raise ParamsError(
                "filter.score: auto and filter.calibrate need predictions for the images of "
                "data/prepared/tuning, found too few in the teacher's file: add them, or set "
                "filter.score to numbers and filter.calibrate to false"
            )
        return None
    size = teacher["shard_images"]
    shards = list_shards(predictions / TUNING, truth.images, size)
    unreadable = [name for shard in shards for name in read_unreadable(shard.path)]
    if unreadable:
        expected = "an image that can be decoded"
        raise DataError([Fault(name, "", expected, "a damaged file") for name in unreadable])
    labels = task_filter.match(shards, truth, tuning.path, section)
    thresholds = choose_thresholds(labels, truth.categories, section, output)
    thresholds.report["images"] = len(truth.images)
    return thresholds


def _check_silver(counts: Counts, categories: tuple[Category, ...], output: Path) -> None:
    """Raise if no label is left, or only one of several classes is left."""
    classes, unit = int((counts.kept > 0).sum()), counts.reasons.unit
    report = f"{output / REPORT} lists the reasons"
    if not counts.images_kept or not counts.kept.sum():
        images = counts.images_kept + int(counts.images_dropped.sum())
        if not counts.dropped.sum():
            raise SilverError(
                f"the teacher predicted no {unit} on {images} images: train it longer "
                f"(train.iterations), or on more labels"
            )
        raise SilverError(
            f"no silver label is left of {counts.dropped.sum()} predicted {unit} on {images} "
            f"images: lower filter.score, or train a better teacher; {report}"
        )
    if classes == 1 and len(categories) > 1:
        name = categories[int(counts.kept.argmax())].name
        raise SilverError(
            f"all {counts.kept.sum()} silver {unit} are {name!r}, one of {len(categories)} "
            f"classes: set filter.score by class, or train a better teacher; {report}"
        )


def _raise_alarms(alarms: list[str], action: str) -> None:
    """Print alarms as warnings, or raise an error with them."""
    if alarms and action == "stop":
        raise SilverError("; ".join(alarms) + " (set filter.alarms to warn to go on)")
    for alarm in alarms if action == "warn" else []:
        print(f"warning: {alarm}")
