"""The arms of the lift benchmark: ways to train a model, which is then scored on val and test.

All arms of a data set have the same model, initial weights and batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.consistency import train_consistency
from benchmarks.lift_bench import ROUNDS, Bench
from benchmarks.soft_teacher import train_soft_teacher
from pseudolabel.core.per_round import in_round
from pseudolabel.evaluation.evaluate import PreviousRound
from pseudolabel.evaluation.history import Row
from pseudolabel.params.common import Params
from pseudolabel.predictions.pseudo_label import label_pool
from pseudolabel.silver import FILTERS
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.merge import merge
from pseudolabel.training.train import train

SNAPSHOTS = 7
"""Number of snapshots during the long training on gold, for its curve."""


def gold(bench: Bench) -> Row:
    """Train on gold alone, for the iterations of one round: this is round 0 of the loop."""
    run, prepared = bench.run("gold"), bench.prepared()
    if not run.model.exists():
        train(prepared, prepared, run.model, in_round(bench.params, 0))
    return run.score(bench)


def gold_long(bench: Bench) -> Row:
    """Train on gold alone, for the iterations of all rounds together."""
    run, prepared = bench.run("gold_long"), bench.prepared()
    if not run.model.exists():
        params = bench.with_iterations(1 + ROUNDS, snapshots=SNAPSHOTS)
        train(prepared, prepared, run.model, in_round(params, 0))
    return run.score(bench)


def gold_augmented(bench: Bench) -> Row:
    """Train as gold_long, with the augmentations of silver on gold, too."""
    run, prepared = bench.run("gold_augmented"), bench.prepared()
    if not run.model.exists():
        params = bench.with_iterations(1 + ROUNDS)
        section = params.train
        augmentations = [*section.augmentations, *section.silver_augmentations]
        section = section.model_copy(update={"augmentations": augmentations})
        params = params.model_copy(update={"train": section})
        train(prepared, prepared, run.model, in_round(params, 0))
    return run.score(bench)


def loop(bench: Bench, number: int) -> Row:
    """Run one round of the loop, after all rounds before it."""
    prepared, params = bench.prepared(), in_round(bench.params, number)
    if number == 1:
        gold(bench)
        last = bench.run("gold")
    else:
        loop(bench, number - 1)
        last = bench.run("loop", number - 1)
    run = bench.run("loop", number)
    predictions, silver, merged = (
        run.folder / name for name in ("predictions", "silver", "merged")
    )
    if not predictions.exists():
        label_pool(prepared, last.champion, predictions, number, params)
    if not silver.exists():
        before = last.folder / "silver" if number > 1 else None
        task_filter = FILTERS[params.task]
        write_silver(prepared, predictions, before, silver, params.filter, task_filter)
    if not merged.exists():
        merge(prepared, silver, merged)
    if not run.model.exists():
        train(merged, prepared, run.model, params, champion=last.champion)
    return run.score(bench, before=PreviousRound(last.evaluation, last.champion, silver))


def soft_teacher(bench: Bench) -> Row:
    """Continue the training on gold with mmdet's SoftTeacher, for the iterations of all rounds."""
    gold(bench)
    run = bench.run("soft_teacher")
    if not run.model.exists():
        params, threshold = bench.online("soft_teacher")
        train_soft_teacher(bench.prepared(), bench.run("gold").model, run.model, params, threshold)
    return run.score(bench)


def consistency(bench: Bench, method: str) -> Row:
    """Continue the training on gold with consistency, for the iterations of all rounds."""
    gold(bench)
    run = bench.run(method)
    if not run.model.exists():
        first = bench.run("gold").model
        train_consistency(method, bench.prepared(), first, run.model, *bench.online(method))
    return run.score(bench)


def oracle(bench: Bench) -> Row:
    """Train on gold and the true labels of the pool, for one round: the upper limit."""
    return _all_labels(bench, "oracle", bench.params)


def oracle_long(bench: Bench) -> Row:
    """Train on gold and the true labels of the pool, for the iterations of all rounds together."""
    return _all_labels(bench, "oracle_long", bench.with_iterations(1 + ROUNDS))


def _all_labels(bench: Bench, arm: str, params: Params) -> Row:
    """Train on gold and the true labels of the pool."""
    run, prepared = bench.run(arm), bench.prepared_with_all_labels()
    if not run.model.exists():
        data = params.data.model_copy(update={"root": bench.all_labels})
        params = params.model_copy(update={"data": data})
        train(prepared, prepared, run.model, in_round(params, 0))
    return run.score(bench)


Arm = Callable[[Bench], Row]


_PEERS: dict[str, dict[str, Arm]] = {
    "detection": {"soft_teacher": soft_teacher},
    "instance": {},
    "semantic": {"unimatch": partial(consistency, method="unimatch")},
    "classification": {
        name: partial(consistency, method=name) for name in ("fixmatch", "freematch")
    },
}
"""Online methods by task."""
WITH_THRESHOLD = ("soft_teacher", "fixmatch", "unimatch")
"""Online methods with a fixed threshold."""


def arms_of(task: str) -> Iterator[tuple[str, int, Arm]]:
    """Yield the name, the round and the function of each arm of a task, in order."""
    yield "gold", 0, gold
    for number in range(1, ROUNDS + 1):
        yield "loop", number, partial(loop, number=number)
    yield "oracle", 0, oracle
    yield "gold_long", 0, gold_long
    yield "gold_augmented", 0, gold_augmented
    yield "oracle_long", 0, oracle_long
    for name, function in _PEERS[task].items():
        yield name, 0, function


def silver_counts(row: Row) -> dict[str, Any]:
    """Return the number of silver images and annotations that a model was trained on."""
    silver: dict[str, Any] = row["data"].get("silver", {"images": 0, "annotations": 0})
    return silver
