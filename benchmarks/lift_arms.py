"""The arms of the lift benchmark: each trains a model its own way and judges it on val and test.

All arms of a data set have the same model, image size, augmentation, first weights and batch size;
they differ in labels and iterations alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.sample_gap import with_all_labels
from benchmarks.soft_teacher import train_soft_teacher
from pseudolabel.engines.evaluating import Before, evaluate
from pseudolabel.engines.labelling import label_pool
from pseudolabel.engines.training import train
from pseudolabel.files import read_json, written_aside
from pseudolabel.formats.coco import FILE, read_coco, write_coco
from pseudolabel.history import HISTORY, Row
from pseudolabel.merge import merge
from pseudolabel.params.sections import Params
from pseudolabel.prepare import prepare
from pseudolabel.records import Annotations, Dataset
from pseudolabel.silver import write_silver
from pseudolabel.tasks import TASKS

ROUNDS = 3
SNAPSHOTS = 7
"""Weights kept on the way of the long training on gold, for its curve."""


@dataclass(frozen=True)
class Bench:
    """One data set with one seed.

    Attributes:
        params: all parameters; `data.root` has an oracle.json.
        data: the folder of what all seeds share: the prepared data.
        runs: the folder of this seed's models.
        sees_test: whether test is looked at.
    """

    params: Params
    data: Path
    runs: Path
    sees_test: bool

    def prepared(self) -> Path:
        """Return the prepared data: val and test are the same for all seeds and arms."""
        name = "prepared" if self.sees_test else "prepared_without_test"
        return self.prepare_once(name, self.params.data.root)

    def prepare_once(self, name: str, root: Path) -> Path:
        """Return a folder of prepared data, which is made where it is not there."""
        folder = self.data / name
        if not folder.exists():
            with written_aside(folder) as aside:
                prepare(root, aside, TASKS[self.params.task], self.params.prepare, seed=0)
                if not self.sees_test:
                    # Emptied here and not in the root, where its images would go to the pool.
                    test = read_coco(aside / "test" / FILE)
                    nothing = Dataset(test.images[:0], Annotations.empty(), test.categories)
                    write_coco(aside / "test" / FILE, nothing)
        return folder

    def run(self, arm: str, number: int = 0) -> Run:
        """Return where an arm's round lies."""
        return Run(self.runs / arm / str(number), self.sees_test)

    def with_iterations(self, factor: int, snapshots: int = 0) -> Params:
        """Return the parameters with so many times the iterations of a round."""
        section = self.params.train
        changes = {"iterations": factor * section.iterations, "snapshots": snapshots}
        return self.params.model_copy(update={"train": section.model_copy(update=changes)})


@dataclass(frozen=True)
class Run:
    """The folder of one trained model and its evaluation.

    Looking at test as well judges the models that are there once more, and trains nothing.
    """

    folder: Path
    sees_test: bool

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.folder / "model"

    @property
    def evaluation(self) -> Path:
        """The evaluation."""
        return self.folder / ("evaluation" if self.sees_test else "evaluation_without_test")

    @property
    def champion(self) -> Path:
        """The best model of this round and those before."""
        return self.folder / "champion"

    def judged(
        self, bench: Bench, params: Params | None = None, before: Before | None = None
    ) -> Row:
        """Return the row of the model's history, which is made where it is not there."""
        if not self.evaluation.exists():
            params = params or bench.params
            paths = self.evaluation, self.champion
            evaluate(self.model, bench.prepared(), before, *paths, params)
        row: Row = read_json(self.evaluation / HISTORY)[-1]
        return row


def gold(bench: Bench) -> Row:
    """Train on gold alone, as long as a round: round 0 of the loop."""
    run, prepared = bench.run("gold"), bench.prepared()
    if not run.model.exists():
        train(prepared, prepared, run.model, bench.params.in_round(0))
    return run.judged(bench)


def gold_long(bench: Bench) -> Row:
    """Train on gold alone, as long as all rounds of the loop together."""
    run, prepared = bench.run("gold_long"), bench.prepared()
    if not run.model.exists():
        params = bench.with_iterations(1 + ROUNDS, snapshots=SNAPSHOTS)
        train(prepared, prepared, run.model, params.in_round(0))
    return run.judged(bench)


def loop(bench: Bench, number: int) -> Row:
    """Run one round of the loop, after those before it."""
    prepared, params, task = bench.prepared(), bench.params, TASKS[bench.params.task]
    if number == 1:
        gold(bench)
        last = bench.run("gold")
    else:
        loop(bench, number - 1)
        last = bench.run("loop", number - 1)
    run = bench.run("loop", number)
    predictions, silver, merged = (run.folder / it for it in ("predictions", "silver", "merged"))
    if not predictions.exists():
        label_pool(prepared, last.champion, predictions, number, params)
    if not silver.exists():
        before = last.folder / "silver" if number > 1 else None
        write_silver(prepared, predictions, before, silver, params.filter, task.filtering)
    if not merged.exists():
        merge(prepared, silver, merged)
    if not run.model.exists():
        train(merged, prepared, run.model, params.in_round(number), champion=last.champion)
    return run.judged(bench, before=Before(last.evaluation, last.champion, silver))


def soft_teacher(bench: Bench) -> Row:
    """Go on from the model on gold with mmdet's SoftTeacher, as long as the whole loop."""
    gold(bench)
    run = bench.run("soft_teacher")
    if not run.model.exists():
        first = bench.run("gold").model
        train_soft_teacher(bench.prepared(), first, run.model, bench.with_iterations(ROUNDS))
    return run.judged(bench)


def oracle(bench: Bench) -> Row:
    """Train on gold and the true labels of the pool, as long as a round: the ceiling."""
    run, root = bench.run("oracle"), bench.data / "all_labels"
    if not root.exists():
        with written_aside(root) as aside:
            with_all_labels(bench.params.data.root, aside)
    prepared = bench.prepare_once("prepared_all", root)
    if not run.model.exists():
        data = bench.params.data.model_copy(update={"root": root})
        params = bench.params.model_copy(update={"data": data})
        train(prepared, prepared, run.model, params.in_round(0))
    return run.judged(bench)


Arm = Callable[[Bench], Row]


def arms_of(task: str) -> Iterator[tuple[str, int, Arm]]:
    """Yield the name, the round and the function of each arm that a task has, in order."""
    yield "gold", 0, gold
    for number in range(1, ROUNDS + 1):
        yield "loop", number, partial(loop, number=number)
    yield "oracle", 0, oracle
    yield "gold_long", 0, gold_long
    if task == "detection":
        yield "soft_teacher", 0, soft_teacher


def silver_of(row: Row) -> dict[str, Any]:
    """Return how many silver images and annotations a model was trained on."""
    silver: dict[str, Any] = row["data"].get("silver", {"images": 0, "annotations": 0})
    return silver
