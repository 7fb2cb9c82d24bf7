"""The section `train`: the schedule of every round, and how processes share it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pseudolabel.params.base import (
    LAST_ROUND,
    Above,
    Count,
    Ramp,
    Section,
    Share,
    Some,
    Within,
    value_in,
)

UNFIT = {
    "LBFGS": "it compares the losses of several passes, and batches change from pass to pass",
    "SparseAdam": "it takes sparse gradients alone, and those of images are dense",
    "Muon": "it takes matrices alone, and these models have kernels, norms and biases, too",
}
"""Optimizers of torch that cannot train these models, and why."""


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
    schedule: Literal["cosine", "polynomial", "linear", "one_cycle"]
    polynomial_power: Above
    final_learning_rate: Share
    gradient_clip: Above | None
    ema_momentum: Annotated[float, Field(gt=0, lt=1)] | None
    mixed_precision: bool
    checkpoint_every: Some
    snapshots: Count
    augmentations: list[dict[str, Any]]
    crop: tuple[Some, Some] | None
    launcher: Launcher

    @model_validator(mode="after")
    def named_types(self) -> Train:
        """Refuse an optimizer or augmentation without a name, and one learning rate too many."""
        if "type" not in self.optimizer:
            raise ValueError("optimizer needs a `type`, such as AdamW")
        names = {self.optimizer["type"], self.optimizer.get("base")}
        for name in sorted(names & UNFIT.keys()):
            raise ValueError(f"optimizer {name} does not fit: {UNFIT[name]}")
        if "lr" in self.optimizer:
            raise ValueError("the optimizer's lr is set by `learning_rate`")
        if any("type" not in augmentation for augmentation in self.augmentations):
            raise ValueError("every one of augmentations needs a `type`, such as RandomFlip")
        if self.warmup_iterations >= self.iterations:
            raise ValueError("warmup_iterations must be below iterations")
        if self.warmup_iterations == 1:
            raise ValueError("warmup_iterations must be 0, or 2 and more to rise over")
        if self.schedule == "one_cycle" and not self.warmup_iterations:
            raise ValueError("schedule one_cycle needs warmup_iterations to rise over")
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
