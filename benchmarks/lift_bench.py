"""One data set with one seed for the lift benchmark: its prepared data and its models' folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.sample_gap import with_all_labels
from pseudolabel.core.files import read_json, written_aside
from pseudolabel.core.per_round import in_round
from pseudolabel.core.records import Dataset
from pseudolabel.evaluation.evaluate import PreviousRound, evaluate
from pseudolabel.evaluation.history import HISTORY, Row
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.splits.prepare import prepare

ROUNDS = 3
_ROUNDS_ONLY = ("mixup", "cutmix")
"""Parameters of `train` that online methods do not have."""


@dataclass(frozen=True)
class Bench:
    """One data set with one seed.

    Attributes:
        params: all parameters; `data.root` has an oracle.json.
        data: the folder that all seeds share, with the prepared data.
        runs: the folder of this seed's models.
        sees_test: whether models are scored on test.
        thresholds: the thresholds of online methods; the others have their usual ones.
    """

    params: Params
    data: Path
    runs: Path
    sees_test: bool
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def prepared(self) -> Path:
        """Return the prepared data; val and test are the same for all seeds and arms."""
        name = "prepared" if self.sees_test else "prepared_without_test"
        return self.prepare_once(name, self.params.data.root)

    @property
    def all_labels(self) -> Path:
        """The raw root whose gold has the true labels of the pool, too."""
        return self.data / "all_labels"

    def prepared_with_all_labels(self) -> Path:
        """Return the prepared data of `all_labels`."""
        if not self.all_labels.exists():
            with written_aside(self.all_labels) as aside:
                with_all_labels(self.params.data.root, aside)
        return self.prepare_once("prepared_all", self.all_labels)

    def prepare_once(self, name: str, root: Path) -> Path:
        """Return a folder of prepared data; it is created if it is missing."""
        folder = self.data / name
        if not folder.exists():
            with written_aside(folder) as aside:
                prepare(root, aside, self.params.task, self.params.prepare, 0, reviews=root)
                if not self.sees_test:
                    # Without test in the raw root, its images would become part of the pool.
                    test = SplitFolder(aside / "test")
                    test.write(Dataset.empty(test.read().categories))
        return folder

    def run(self, arm: str, number: int = 0) -> Run:
        """Return the folder of a round of an arm."""
        return Run(self.runs / arm / str(number), self.sees_test)

    def with_iterations(self, factor: int, snapshots: int = 0) -> Params:
        """Return the parameters with a multiple of the iterations of one round."""
        section = self.params.train
        changes = {"iterations": factor * section.iterations, "snapshots": snapshots}
        return self.params.model_copy(update={"train": section.model_copy(update=changes)})

    def online(self, method: str) -> tuple[Params, float | None]:
        """Return the parameters and the threshold of an online method, as long as all rounds.

        Raises:
            ValueError: a parameter is set that online methods do not have.
        """
        unknown = [name for name in _ROUNDS_ONLY if getattr(self.params.train, name, 0)]
        if unknown:
            raise ValueError(f"{method}: expected 0 for train.{unknown[0]}")
        return in_round(self.with_iterations(ROUNDS), 0), self.thresholds.get(method)


@dataclass(frozen=True)
class Run:
    """The folder of one trained model and its evaluation.

    If test is used later, existing models are scored again, and no model is trained.
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
        """The best model of this round and all rounds before."""
        return self.folder / "champion"

    def score(
        self, bench: Bench, params: Params | None = None, before: PreviousRound | None = None
    ) -> Row:
        """Return the model's row of the history; the model is scored if it is missing."""
        if not self.evaluation.exists():
            params = params or bench.params
            paths = self.evaluation, self.champion
            evaluate(self.model, bench.prepared(), before, *paths, params)
        row: Row = read_json(self.evaluation / HISTORY)[-1]
        return row
