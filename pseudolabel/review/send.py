"""Choose images of the pool and send them, with their predicted labels, to a labelling tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pseudolabel.core.errors import ReviewError
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.records import Category, Images
from pseudolabel.core.tasks import TASKS
from pseudolabel.formats.image_files import IMAGES
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.params.common import Params
from pseudolabel.review import choice
from pseudolabel.review.batch import Batch, batch_numbers, names_sent
from pseudolabel.review.candidates import (
    Candidates,
    last_round,
    predicted_labels,
    read_candidates,
)

Deliver = Callable[[Batch, Sequence[Category]], dict[str, Any]]
"""Takes a batch and the classes to a tool, and returns where it is there."""


def _choose(
    candidates: Candidates, count: int, by: choice.By, params: Params, folder: RoundFolder
) -> Images:
    """Return the images to send, in the order of choice.

    Args:
        candidates: the images that may be sent.
        count: how many to choose.
        by: how they are chosen.
        params: all parameters.
        folder: the round, whose teacher gives the features for `diversity` and `both`.
    """
    images, doubts = candidates.images, candidates.doubts
    if by == "random":
        rows = choice.at_random(len(images), count, params.seed)
    elif by == "doubt":
        rows = choice.most_doubtful(doubts, count)
    else:
        from pseudolabel.predictions.features import (  # noqa: PLC0415 - torch takes seconds
            backbone_features,
        )

        teacher = RoundFolder(folder.number - 1).champion
        gold = SplitFolder(PREPARED / "gold").read().images
        root, workers = params.data.root / IMAGES, params.data.workers
        features = backbone_features(teacher, Images.concatenate([images, gold]), root, workers)
        own, known = features[: len(images)], features[len(images) :]
        if by == "diversity":
            rows = choice.most_diverse(own, known, count)
        else:
            rows = choice.doubtful_and_diverse(doubts, own, known, count)
    return images[rows]


def send(count: int, by: choice.By, tool: str, params: Params, deliver: Deliver) -> Batch:
    """Choose images, take them to a tool, and record them.

    Images that were sent before are not sent again.

    Args:
        count: how many images.
        by: how they are chosen.
        tool: the name of the tool.
        params: all parameters.
        deliver: takes the batch to the tool.

    Raises:
        ReviewError: no round has silver, or no image is left to send.
    """
    folder = last_round()
    candidates = read_candidates(folder)
    fresh = ~np.isin(candidates.images.file_names, list(names_sent()))
    candidates = candidates.of(fresh)
    if not len(candidates.images):
        raise ReviewError("the pool: expected an image that was not sent yet, found none")
    chosen = _choose(candidates, count, by, params, folder)
    kind = TASKS[params.task].kind
    images = predicted_labels(folder, chosen, candidates.categories, kind)
    number = max(batch_numbers(), default=0) + 1
    values = (number, candidates.round, candidates.teacher, by, tool)
    place = deliver(Batch(*values, {}, images), candidates.categories)
    batch = Batch(*values, place, images)
    batch.write(candidates.categories)
    return batch
