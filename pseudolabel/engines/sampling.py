"""Which images a training takes, batch by batch: gold and silver, and gold alone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.registry import DATA_SAMPLERS

from pseudolabel.engines.quiet import quiet_imports

with quiet_imports():
    from mmdet.datasets.samplers import MultiSourceSampler


@DATA_SAMPLERS.register_module()
class GoldLastSampler(MultiSourceSampler):  # type: ignore[misc]
    """Batches with a fixed ratio of sources; after a number of them, of the first source alone.

    Args:
        mixed_batches: how many batches have all sources.
        arguments: those of MultiSourceSampler.
    """

    def __init__(self, *, mixed_batches: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.mixed_batches = mixed_batches

    def __iter__(self) -> Iterator[int]:
        """Yield the row of each image, without end."""
        yield from islice(super().__iter__(), self.mixed_batches * self.batch_size)
        yield from self.source2inds[0]
