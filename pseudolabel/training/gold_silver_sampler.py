"""The order of training images: batches of gold and silver, and of gold alone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from mmengine.registry import DATA_SAMPLERS

from pseudolabel.models.quiet_imports import quiet_imports
from pseudolabel.training.random_numbers import Turn

with quiet_imports():
    from mmdet.datasets.samplers import MultiSourceSampler


@DATA_SAMPLERS.register_module()
class GoldSilverSampler(MultiSourceSampler):  # type: ignore[misc]
    """Samples batches with a fixed ratio of sources, then batches of the first source alone.

    Args:
        mixed_batches: number of batches with all sources.
        arguments: the arguments of MultiSourceSampler.
    """

    def __init__(self, *, mixed_batches: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.mixed_batches = mixed_batches
        self.skipped = 0

    def skip(self, num_samples: int) -> None:
        """Begin after this number of images; mmengine calls it when a training resumes."""
        self.skipped = num_samples

    def __iter__(self) -> Iterator[Turn]:
        """Yield the turn of each image of this process, without end."""
        mixed = islice(super().__iter__(), self.mixed_batches * self.batch_size)
        rows = enumerate(chain(mixed, self.source2inds[0]))
        for number, row in islice(rows, self.skipped, None):
            yield Turn(number * self.world_size + self.rank, row)
