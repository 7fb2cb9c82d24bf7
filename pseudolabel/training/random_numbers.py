"""Random numbers of a training: each image and each step has its own, by its place in the order.

What is drawn depends on the seed and on the place alone. A training that resumes from a checkpoint
draws the same numbers as one that was never interrupted, with any number of loader workers.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import ConcatDataset
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from mmengine.runner import Runner

_IMAGES, _STEPS = 0, 1
"""Images and steps draw from different streams of numbers."""


class Turn(NamedTuple):
    """A place in the order of training images.

    Attributes:
        number: the place, counted from 0 over all processes.
        row: the image, as a row of the data set.
    """

    number: int
    row: int


@DATASETS.register_module()
class SeededDataset(ConcatDataset):  # type: ignore[misc]
    """The sources of a training; the augmentations of an image depend on its turn alone.

    Args:
        seed: the random seed.
        arguments: the arguments of ConcatDataset.
    """

    def __init__(self, *, seed: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seed = seed

    def __getitem__(self, turn: Turn) -> Any:
        """Return the augmented image of a turn."""
        _seed_all(self.seed, _IMAGES, turn.number)
        return super().__getitem__(turn.row)


@HOOKS.register_module()
class SeededStepsHook(Hook):  # type: ignore[misc]
    """Seeds each step: dropout, mixup and random sampling in the model depend on its number alone.

    Args:
        seed: the random seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002 - mmengine's signature
        data_batch: Any = None,  # noqa: ARG002 - mmengine's signature
    ) -> None:
        """Seed one step."""
        _seed_all(self.seed, _STEPS, runner.iter, get_rank())


def _seed_all(*numbers: int) -> None:
    """Seed the generators of Python, numpy and torch with a hash of numbers."""
    state = np.random.SeedSequence(numbers).generate_state(4)
    random.seed(int(state[0]))
    np.random.seed(state[1:3])  # noqa: NPY002 - the generator that the packages use
    torch.manual_seed(int(state[3]))
