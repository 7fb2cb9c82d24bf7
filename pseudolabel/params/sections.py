"""The sections of params.yaml that all tasks share, as validated models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from pseudolabel.params.base import LAST_ROUND, Above, Count, Section, Some, Within, value_in
from pseudolabel.params.export import Export
from pseudolabel.params.filtering import Filter
from pseudolabel.params.training import Train
from pseudolabel.params.tune import Tune

BACKBONE = "backbone"
"""As `model.weights`: the backbone that the model's own config names."""
CHAMPION = "champion"
"""As `model.weights`: the champion that teaches the round; round 0 has none and draws its own."""


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


if TYPE_CHECKING:
    # What trains and predicts sees the parameters of one round, where each is a single value.
    Name = str
    Weights = str | None
    Size = tuple[int, int]
else:
    Name = str | Annotated[list[str], Field(min_length=1)]
    Weights = str | Annotated[list[str | None], Field(min_length=1)] | None
    Size = tuple[Some, Some] | Annotated[list[tuple[Some, Some]], Field(min_length=1)]


class Model(Section):
    """A config by zoo name or path, first weights, and the width and height of its images.

    Each is one for all rounds, or a list with one for each round from 0 on, the last one for all
    further rounds: a teacher and its student may be of different kinds.
    """

    config: Name
    weights: Weights
    image_size: Size

    def in_round(self, number: int) -> Any:
        """Return the model of one round."""
        fields = {"config": self.config, "weights": self.weights, "image_size": self.image_size}
        # Lists of other sections begin with round 1.
        return self.model_copy(
            update={name: value_in(value, number + 1) for name, value in fields.items()}
        )


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


class Predict(Section):
    """How a model is run over images: at which factors of its image size, mirrored, too, or not."""

    batch_size: Some
    scales: Annotated[tuple[Above, ...], Field(min_length=1)]
    flip: bool


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
    export: Export
    tune: Tune

    @model_validator(mode="after")
    def crop_fits(self) -> Params:
        """Refuse crops of training images that are larger than the images."""
        crop = self.train.crop
        for number in range(LAST_ROUND + 1):
            size = self.model.in_round(number).image_size
            if crop and (crop[0] > size[0] or crop[1] > size[1]):
                raise ValueError(
                    f"train.crop must be within model.image_size ({size[0]}x{size[1]}), "
                    f"found {crop[0]}x{crop[1]}"
                )
        return self

    def in_round(self, number: int) -> Params:
        """Return the parameters of one round, as its training takes them."""
        update = {"model": self.model.in_round(number), "train": self.train.in_round(number)}
        update["round"] = number
        return self.model_copy(update=update)
