"""The sections of params.yaml that all tasks share, as validated models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pseudolabel.core.per_round import value_in_round
from pseudolabel.core.project import LAST_ROUND
from pseudolabel.core.teacher_file import Teacher, TeacherFile
from pseudolabel.params.data import Data
from pseudolabel.params.export import Export
from pseudolabel.params.filter import Filter
from pseudolabel.params.report import Report
from pseudolabel.params.sample import Sample
from pseudolabel.params.train import Train
from pseudolabel.params.tune import Tune
from pseudolabel.params.types import (
    Allowed,
    BatchSize,
    Count,
    Factor,
    Flag,
    Number,
    OpenShare,
    Positive,
    Rule,
    Section,
    Seed,
    Size,
    WholeNumber,
)

BACKBONE = "backbone"
"""As `model.weights`: the backbone that the model's own config names."""
ZOO = "zoo"
"""As `model.weights`: the whole model that the zoo offers for its config."""
CHAMPION = "champion"
"""As `model.weights`: the champion that teaches the round; round 0 starts from random weights."""

LARGEST_IMAGE = 178_000_000
"""Pixels of the largest image that `prepare.max_pixels` can allow: Pillow opens no larger one."""

TaskName = Literal["detection", "instance", "semantic", "classification"]
ConfigName = Annotated[
    str | Annotated[list[str], Field(min_length=1)],
    Allowed("a zoo name or a path, or a list with one per round"),
]
WeightsName = Annotated[
    str | Annotated[list[str | None], Field(min_length=1)] | None,
    Allowed("champion, backbone, zoo, a path, a URL, null, or a list with one per round"),
]
AUTO: Literal["auto"] = "auto"
"""As `model.image_size`: the median size of gold's images."""
ImageSize = Annotated[
    Literal["auto"] | Size | Annotated[list[Size], Field(min_length=1)],
    Allowed("auto, [width, height], or a list with one per round"),
]

Teachers = Annotated[
    Literal["champion", "folds"]
    | Annotated[list[Teacher], Field(min_length=1)]
    | Annotated[list[Annotated[list[Teacher], Field(min_length=1)]], Field(min_length=1)],
    Allowed("champion, folds, a list of model folders and files, or such a list per round"),
]
FileOrNone = Annotated[
    Teacher | None, Allowed("a file, {file, classes, ids}, or null to train a model")
]


class Model(Section):
    """The model. Its first keys may be lists with one value per round, from round 0 on."""

    config: ConfigName
    """Model config."""
    weights: WeightsName
    """Initial weights."""
    image_size: ImageSize
    """Input size of the model, pixels."""
    round_0: FileOrNone
    """File of predictions that is round 0."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels.

        Raises:
            TypeError: it is a schedule before in_round, or auto before resolve_image_size.
        """
        if isinstance(self.image_size, list | str):
            raise TypeError(f"expected the size of one round, found {self.image_size!r}")
        return self.image_size


class Prepare(Section):
    """The splits: how val and tuning are split off, and how duplicates are found."""

    val_share: OpenShare
    """Share of gold that becomes val."""
    tuning_share: Annotated[Number, Field(ge=0, lt=1)]
    """Share of val for choosing thresholds."""
    folds: Annotated[WholeNumber, Field(ge=2)] | None
    """Folds of gold."""
    fold: Count
    """Fold that is held out, from 0."""
    duplicate_distance: Annotated[
        Annotated[WholeNumber, Field(ge=0, le=8)] | None,
        Allowed("a whole number from 0 to 8, or null for exact copies"),
    ]
    """Bits in which near-duplicates may differ."""
    max_pixels: Annotated[WholeNumber, Field(ge=1, le=LARGEST_IMAGE)]
    """Pixels of the largest image."""
    transductive: Flag
    """Whether to pseudo-label the test images, too."""

    @property
    def partly_labelled(self) -> Literal["all"] | list[str] | None:
        """The classes and images of gold that silver may add objects to; None without any."""
        return None

    def broken_rules(self) -> Iterator[Rule]:
        """Require a fold that exists."""
        if self.folds is None and self.fold:
            yield Rule("fold", "0 without folds", self.fold)
        if self.folds is not None and self.fold >= self.folds:
            yield Rule("fold", f"below folds ({self.folds})", self.fold)


class Predict(Section):
    """How models predict images."""

    batch_size: BatchSize
    """Images per forward pass."""
    scales: Annotated[
        tuple[Factor, ...],
        Field(min_length=1),
        Allowed("a list of numbers from 0.01 to 100"),
    ]
    """Factors of the image size."""
    flip: Flag
    """Whether to predict mirrored images, too."""


def _has_files(teachers: Any) -> bool:
    """Return whether some teacher is surely a file: one with classes or ids."""
    if isinstance(teachers, list):
        return any(map(_has_files, teachers))
    return isinstance(teachers, TeacherFile)


class Workers(Section):
    """Who labels the pool: this process, or the workers of a Ray cluster."""

    ray: Annotated[
        Annotated[str, Field(min_length=1)] | None,
        Allowed("local, auto, an address, or null for this process"),
    ]
    """Ray cluster that labels the pool."""
    num_cpus: Annotated[WholeNumber, Field(ge=1, le=1024)]
    """Cores of each worker."""
    num_gpus: Annotated[Number, Field(ge=0, le=64)]
    """GPUs of each worker, or a share of one."""


class PseudoLabel(Predict):
    """The pseudo-labels: which models predict the pool, and how."""

    teachers: Teachers
    """Models that label the pool."""
    stability: Literal["checkpoints", "flip"] | None
    """Second prediction to compare with."""
    shard_images: Positive
    """Images per Parquet file."""
    workers: Workers

    def broken_rules(self) -> Iterator[Rule]:
        """Require shards that hold whole batches, and models to measure stability with."""
        if self.stability and _has_files(self.teachers):
            yield Rule("stability", "null with a file as a teacher", self.stability)
        if self.shard_images % self.batch_size:
            expected = f"a multiple of batch_size ({self.batch_size})"
            yield Rule("shard_images", expected, self.shard_images)


class Evaluate(Predict):
    """The validation: how models are scored and compared."""

    select: Literal["last", "best"]
    """Weights of a training that become its model."""


def _select_rules(train: Train, evaluate: Evaluate) -> Iterator[Rule]:
    """Require weights to choose from."""
    if evaluate.select == "best" and not train.snapshots:
        yield Rule("evaluate.select", "last, because train.snapshots is 0", evaluate.select)


def _crop_rules(model: Model, train: Train) -> Iterator[Rule]:
    """Require crops that fit into the training images of every round, if their size is known."""
    for number in range(LAST_ROUND + 1) if model.image_size != AUTO else ():
        width, height = value_in_round(model.image_size, number, first=0)
        if train.crop and (train.crop[0] > width or train.crop[1] > height):
            expected = f"at most model.image_size ([{width}, {height}] in round {number})"
            yield Rule("train.crop", expected, list(train.crop))
            return


class Params(Section):
    """All parameters of a project."""

    rules_between: ClassVar[dict[tuple[str, ...], Callable[..., Iterator[Rule]]]] = {
        ("model", "train"): _crop_rules,
        ("train", "evaluate"): _select_rules,
    }
    """Rules between sections: the sections that each takes, and the rule."""

    task: TaskName
    """Task of the project."""
    round: Annotated[WholeNumber, Field(ge=0, le=LAST_ROUND)]
    """Last round to build."""
    seed: Seed
    """Random seed."""
    data: Data
    sample: Sample
    model: Model
    prepare: Prepare
    train: Train
    pseudo_label: PseudoLabel
    filter: Filter
    evaluate: Evaluate
    report: Report
    export: Export
    tune: Tune

    def broken_rules(self) -> Iterator[Rule]:
        """Yield the broken rules between sections."""
        for names, rule in self.rules_between.items():
            yield from rule(*(getattr(self, name) for name in names))
