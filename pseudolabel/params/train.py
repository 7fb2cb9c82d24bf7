"""The section `train`: the schedule of every round, and the processes that share the work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from pseudolabel.core.per_round import Ramp, gold_and_silver_per_step, value_in_round
from pseudolabel.core.project import LAST_ROUND
from pseudolabel.params.types import (
    Allowed,
    BatchSize,
    Count,
    Factor,
    Flag,
    LearningRate,
    Norm,
    Number,
    OpenShare,
    Positive,
    PositiveShare,
    Processes,
    Rule,
    Section,
    Share,
    Size,
)

_FEWEST_PER_PROCESS = 2
"""One image of gold and one of silver."""
_UNSUITABLE_OPTIMIZERS = {
    "LBFGS": "it compares losses of several passes, but batches differ from pass to pass",
    "SparseAdam": "it takes sparse gradients only, but those of images are dense",
    "Muon": "it takes matrices only, but these models also have kernels, norms and biases",
}
"""Optimizers of torch that cannot train these models, and why."""

Augmentations = Annotated[
    list[dict[str, Any]], Allowed("a list of {type: name, ...} with arguments")
]
GoldShare = Annotated[
    Ramp | OpenShare | Annotated[list[OpenShare], Field(min_length=1)],
    Allowed("a number above 0 and below 1, or a list with one per round"),
]


class Launcher(Section):
    """The processes and machines that train together, as torchrun starts them."""

    processes: Processes
    """Processes per machine, one per GPU."""
    machines: Processes
    """Machines; the others run `pseudolabel join`."""
    rendezvous: Annotated[
        Annotated[str, Field(pattern=r"^.+:\d+$")] | None,
        Allowed("host:port, or null for this machine's name and any port"),
    ]
    """Address where the machines meet."""
    restarts: Count
    """How often to go on if a process dies."""

    @property
    def all_processes(self) -> int:
        """Processes on all machines together."""
        return self.processes * self.machines


class Train(Section):
    """The training, the same in every round, so that rounds can be compared."""

    iterations: Positive
    """Optimizer steps per round."""
    batch_size: BatchSize
    """Images per step, over all processes."""
    gold_share: GoldShare
    """Share of gold in each batch of a student."""
    gold_only_share: Annotated[Number, Field(ge=0, lt=1)]
    """Last share of the steps, on gold alone."""
    oversample_threshold: OpenShare | None
    """Repeat images of classes rarer than this."""
    learning_rate: LearningRate
    """Highest learning rate."""
    backbone_learning_rate: PositiveShare
    """Learning rate of the backbone, as a share."""
    optimizer: Annotated[
        dict[str, Any], Field(min_length=1), Allowed("{type: name, ...} with arguments")
    ]
    """Optimizer."""
    warmup_iterations: Count
    """Steps in which the learning rate rises."""
    schedule: Literal["cosine", "polynomial", "linear", "one_cycle"]
    """How the learning rate falls."""
    polynomial_power: Factor
    """Power of `schedule: polynomial`."""
    final_learning_rate: Share
    """Share of the learning rate at the end."""
    gradient_clip: Norm | None
    """Largest gradient norm."""
    ema_momentum: OpenShare | None
    """Weight of a step in the averaged weights."""
    mixed_precision: Flag
    """Whether to train in float16 on a GPU."""
    checkpoint_every: Positive
    """Steps between checkpoints."""
    snapshots: Count
    """Earlier weights to keep."""
    augmentations: Augmentations
    """Random changes to training images."""
    silver_augmentations: Augmentations
    """Further random changes to silver images."""
    crop: Annotated[Size | None, Allowed("[width, height], or null for whole images")]
    """Random crop of the training images, pixels."""
    launcher: Launcher

    def broken_rules(self) -> Iterator[Rule]:
        """Require a usable optimizer, a schedule that fits, and batches with gold and silver."""
        yield from self._optimizer_rules()
        for name in ("augmentations", "silver_augmentations"):
            augmentations = getattr(self, name)
            if any("type" not in augmentation for augmentation in augmentations):
                yield Rule(name, "a `type` in each, such as RandomFlip", augmentations)
        if self.warmup_iterations >= self.iterations:
            yield Rule(
                "warmup_iterations", f"below iterations ({self.iterations})", self.warmup_iterations
            )
        if self.snapshots >= self.iterations:
            yield Rule("snapshots", f"below iterations ({self.iterations})", self.snapshots)
        if self.warmup_iterations == 1:
            yield Rule("warmup_iterations", "0, or at least 2 to rise over", 1)
        if self.schedule == "one_cycle" and not self.warmup_iterations:
            yield Rule("warmup_iterations", "at least 2 with schedule one_cycle", 0)
        if self.schedule == "one_cycle" and self.backbone_learning_rate != 1:
            # mmengine gives all parts the same highest rate then.
            share = self.backbone_learning_rate
            yield Rule("backbone_learning_rate", "1.0 with schedule one_cycle", share)
        yield from self._batch_rules()

    def _optimizer_rules(self) -> Iterator[Rule]:
        if "type" not in self.optimizer:
            yield Rule("optimizer", "a `type`, such as AdamW", self.optimizer)
        for name in (self.optimizer.get("type"), self.optimizer.get("base")):
            if isinstance(name, str) and name in _UNSUITABLE_OPTIMIZERS:
                reason = _UNSUITABLE_OPTIMIZERS[name]
                yield Rule("optimizer", f"one other than {name} ({reason})", self.optimizer)
        if "lr" in self.optimizer:
            yield Rule("optimizer", "no lr, because learning_rate sets it", self.optimizer)

    def _batch_rules(self) -> Iterator[Rule]:
        processes = self.launcher.all_processes
        if self.batch_size % processes:
            yield Rule(
                "batch_size",
                f"a multiple of the number of processes ({processes})",
                self.batch_size,
            )
            return
        if self.batch_size // processes < _FEWEST_PER_PROCESS:
            yield Rule(
                "batch_size",
                f"at least {_FEWEST_PER_PROCESS} images per process, of gold and of silver",
                self.batch_size,
            )
            return
        for number in range(1, LAST_ROUND + 1):
            share = value_in_round(self.gold_share, number)
            gold, silver = gold_and_silver_per_step(self.batch_size // processes, share)
            if not silver:
                yield Rule(
                    "gold_share",
                    f"gold and silver in each batch; in round {number} it gives each process "
                    f"{gold} gold and {silver} silver images",
                    share,
                )
                return
