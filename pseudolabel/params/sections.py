"""The sections of params.yaml that all tasks share, as validated models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]
Above = Annotated[float, Field(gt=0)]
Within = Annotated[float, Field(gt=0, lt=1)]

Threshold = Share | Annotated[dict[str, Share], Field(min_length=1)]
"""One number for all classes, or one for each by name."""


LAST_ROUND = 9
"""The last round that rounds/dvc.yaml unrolls."""


BACKBONE = "backbone"
"""As `model.weights`: the backbone that the model's own config names."""


class Section(BaseModel):
    """Base of all sections: unknown keys are faults, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """Where the raw data lies, and how many processes read images."""

    root: Path
    workers: Count


class Sample(Section):
    """The generated sample: images per split and their size in pixels."""

    seed: int
    gold: Some
    val: Some
    test: Some
    pool: Some
    width: Annotated[int, Field(ge=64)]
    height: Annotated[int, Field(ge=64)]


class Model(Section):
    """A config by zoo name or path, first weights, and the width and height of its images."""

    config: str
    weights: str | None
    image_size: tuple[Some, Some]


class Prepare(Section):
    """How val is split off gold, and what is kept apart.

    With `folds`, fold number `fold` of gold is val, or held out beside the val of the raw data. A
    share of val is set aside to choose thresholds on; what is left is reported.
    """

    val_share: Within
    tuning_share: Annotated[float, Field(ge=0, lt=1)]
    folds: Annotated[int, Field(ge=2)] | None
    fold: Count
    duplicate_distance: Annotated[int, Field(ge=0, le=8)] | None
    transductive: bool

    @model_validator(mode="after")
    def fold_is_there(self) -> Prepare:
        """Refuse a fold that is not there."""
        if self.fold >= (self.folds or 1):
            raise ValueError(f"fold must be below folds ({self.folds})")
        return self


class Ramp(Section):
    """A value that moves evenly from round 1 to round `rounds`, and stays there."""

    start: Share
    end: Share
    rounds: Annotated[int, Field(ge=2)]

    def at(self, number: int) -> float:
        """Return the value of a round."""
        way = min(number - 1, self.rounds - 1) / (self.rounds - 1)
        return round(self.start + way * (self.end - self.start), 6)


def value_in(schedule: Any, number: int) -> Any:
    """Return the value of a round: a list has one for each, the last one for all further rounds."""
    if isinstance(schedule, Ramp):
        return schedule.at(number)
    return schedule[min(number, len(schedule)) - 1] if isinstance(schedule, list) else schedule


class Launcher(Section):
    """Processes a machine, machines, and where they find each other, for torchrun."""

    processes: Some
    machines: Some
    machine_rank: Count
    rendezvous: str

    @model_validator(mode="after")
    def rank_fits(self) -> Launcher:
        """Refuse a machine rank that no machine has."""
        if self.machine_rank >= self.machines:
            raise ValueError(f"machine_rank must be below machines ({self.machines})")
        return self


class Train(Section):
    """The schedule, the same in every round: equal compute is what makes rounds comparable."""

    iterations: Some
    batch_size: Some
    gold_share: Ramp | Within | Annotated[list[Within], Field(min_length=1)]
    gold_only_share: Annotated[float, Field(ge=0, lt=1)]
    oversample_threshold: Within | None
    learning_rate: Above
    optimizer: Annotated[dict[str, Any], Field(min_length=1)]
    warmup_iterations: Count
    final_learning_rate: Share
    gradient_clip: Above | None
    ema_momentum: Annotated[float, Field(gt=0, lt=1)] | None
    mixed_precision: bool
    checkpoint_every: Some
    snapshots: Count
    augmentations: list[dict[str, Any]]
    launcher: Launcher

    @model_validator(mode="after")
    def named_types(self) -> Train:
        """Refuse an optimizer or augmentation without a name, and one learning rate too many."""
        if "type" not in self.optimizer:
            raise ValueError("optimizer needs a `type`, such as AdamW")
        if "lr" in self.optimizer:
            raise ValueError("the optimizer's lr is set by `learning_rate`")
        if any("type" not in augmentation for augmentation in self.augmentations):
            raise ValueError("every one of augmentations needs a `type`, such as RandomFlip")
        if self.warmup_iterations >= self.iterations:
            raise ValueError("warmup_iterations must be below iterations")
        return self

    def in_round(self, number: int) -> Any:
        """Return the schedule of one round, its share of gold that of the round."""
        return self.model_copy(update={"gold_share": value_in(self.gold_share, max(1, number))})

    @property
    def images_a_step(self) -> tuple[int, int]:
        """Gold and silver images that each process takes a step of one round."""
        if isinstance(self.gold_share, Ramp | list):
            raise TypeError("a schedule has no share of gold before in_round")
        batch_size = self.batch_size // (self.launcher.processes * self.launcher.machines)
        gold = round(batch_size * self.gold_share)
        return gold, batch_size - gold

    @property
    def mixed_iterations(self) -> int:
        """Iterations before those on gold alone."""
        return round(self.iterations * (1 - self.gold_only_share))

    @model_validator(mode="after")
    def batches_of_gold_and_silver(self) -> Train:
        """Refuse batches that processes cannot share, or that leave no room for gold or silver."""
        processes = self.launcher.processes * self.launcher.machines
        if self.batch_size % processes:
            raise ValueError(f"batch_size must be a multiple of the processes ({processes})")
        for number in range(1, LAST_ROUND + 1):
            gold, silver = self.in_round(number).images_a_step
            if not gold or not silver:
                raise ValueError(
                    f"batch_size and gold_share must leave a process both gold and silver, "
                    f"not {gold} and {silver} images a step"
                )
        return self


@dataclass(frozen=True)
class Views:
    """The views of an image that a prediction joins.

    Attributes:
        scales: factors of the model's image size.
        flip: whether each is taken mirrored, too.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False


class Predict(Section):
    """How a model is run over images."""

    batch_size: Some

    @property
    def views(self) -> Views:
        """The views of each image that are joined."""
        return Views()


class PseudoLabel(Predict):
    """Who labels the pool, shard by shard: the champion, those of all folds, or models by folder.

    `stability` says what each prediction is compared with, to tell how reliable its image is.
    """

    teachers: Literal["champion", "folds"] | Annotated[list[Path], Field(min_length=1)]
    stability: Literal["checkpoints", "flip"] | None
    shard_images: Some

    @model_validator(mode="after")
    def shards_of_whole_batches(self) -> PseudoLabel:
        """Refuse shards that end in the middle of a batch."""
        if self.shard_images % self.batch_size:
            raise ValueError(f"shard_images must be a multiple of batch_size ({self.batch_size})")
        return self


class Auto(Section):
    """What thresholds are chosen for, class by class.

    `f1`: the best balance of precision and recall; `precision`: the lowest threshold of which a
    share `at` of the labels is right; `share`: `at` labels for each that gold would have.
    """

    aim: Literal["f1", "precision", "share"]
    at: Annotated[float, Field(gt=0, le=2)] | None

    @model_validator(mode="after")
    def aim_is_given(self) -> Auto:
        """Refuse a precision or a share that is not told, and one told in vain."""
        if (self.at is None) != (self.aim == "f1"):
            raise ValueError("`at` is for the aims precision and share, which need it")
        if self.aim == "precision" and self.at is not None and self.at > 1:
            raise ValueError("a precision is 1 at most")
        return self


class Filter(Section):
    """What every task's filter has: its thresholds, and what it does about odd silver."""

    alarms: Literal["stop", "warn", "off"]
    alarm_factor: Annotated[float, Field(gt=1)]
    score: Literal["auto"] | Ramp | Threshold | Annotated[list[Threshold], Field(min_length=1)]
    auto: Auto
    calibrate: bool
    reliability: Literal["score", "stability"]
    top_share: Annotated[float, Field(gt=0, le=1)]
    max_per_class: Some | None

    def in_round(self, number: int) -> Any:
        """Return the filter of one round, its score that of the round.

        Of a list, round 1 takes the first threshold, and rounds beyond the end take the last one.
        """
        return self.model_copy(update={"score": value_in(self.score, number)})

    @property
    def lowest_score(self) -> float:
        """The lowest threshold of any class in any round; 1 where data decides."""
        if self.score == "auto":
            return 1.0
        if isinstance(self.score, Ramp):
            return min(self.score.start, self.score.end)
        scores = self.score if isinstance(self.score, list) else [self.score]
        return min(min(it.values()) if isinstance(it, dict) else it for it in scores)

    @property
    def threshold(self) -> float | dict[str, float]:
        """The threshold of a filter that is one round's."""
        if isinstance(self.score, Ramp | list | str):
            raise TypeError("a schedule has no threshold before in_round, auto none before tuning")
        return self.score


class Params(Section):
    """All of params.yaml; each task has its own `filter`, `pseudo_label` and `evaluate`."""

    task: str
    round: Annotated[int, Field(ge=0, le=LAST_ROUND)]
    seed: Count
    data: Data
    sample: Sample
    model: Model
    prepare: Prepare
    train: Train
    pseudo_label: PseudoLabel
    filter: Filter
    evaluate: Predict

    def in_round(self, number: int) -> Params:
        """Return the parameters of one round, as its training takes them."""
        return self.model_copy(update={"train": self.train.in_round(number)})
